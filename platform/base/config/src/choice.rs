//! [`choice!`](macro@crate::choice): closed vocabularies.

/// Defines an enum of which each variant is one word in the configuration. The variant marked
/// `#[default]` is what `Default` gives; empty text leaves a key at its default. Words are compared
/// exactly, as in the originals.
///
/// ```
/// cloverleaf_config::choice! {
///     /// How an endpoint is chosen.
///     pub enum BalancingAlgorithm {
///         /// One after the other.
///         #[default]
///         RoundRobin = "round-robin",
///         /// The one with the fewest requests in flight.
///         LeastConnection = "least-connection",
///     }
/// }
/// assert_eq!(BalancingAlgorithm::LeastConnection.as_str(), "least-connection");
/// ```
#[macro_export]
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// Every word, in the order of the definition.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word that stands for this variant in the configuration.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The variant of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl $crate::Value for $name {
            fn kind() -> String {
                $crate::one_of(Self::WORDS)
            }

            fn read(&mut self, node: &$crate::Node, reader: &mut $crate::Reader<'_>) {
                let Some(text) = node.text() else {
                    if !node.is_empty() {
                        reader.wrong(node, &$crate::one_of(Self::WORDS));
                    }
                    return;
                };
                match Self::from_word(text) {
                    Some(choice) => *self = choice,
                    None if text.is_empty() => {}
                    None => reader.wrong(node, &$crate::one_of(Self::WORDS)),
                }
            }

            fn show(&self) -> String {
                self.as_str().to_owned()
            }
        }
    };
}

/// The words of a choice as running text: `a`, `b` or `c`. Empty words are left out.
pub fn one_of(words: &[&str]) -> String {
    let named: Vec<String> = words
        .iter()
        .filter(|word| !word.is_empty())
        .map(|word| format!("`{word}`"))
        .collect();
    match named.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
