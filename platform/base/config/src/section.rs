//! [`section!`](macro@crate::section): a struct of keys, defined once.

use std::fmt;

use crate::secret::{REDACTED, is_secret};

/// Defines the keys of one YAML map: a struct with a public field per key, its documentation,
/// defaults, reader, and entries of the reference.
///
/// A key is written as
///
/// ```text
/// /// What it means.
/// name: Type = default => Status,
/// ```
///
/// where `= default` may be left out (then it is the type's own), and `Status` is `Works`, `Later`
/// or `Accepted("why it does nothing")`, see [`Status`](crate::Status). After the status may follow
/// `also "older_name"` for a second accepted name, and `shown "text"` for what the reference says
/// about the default. Keys may be grouped under headings of the reference:
/// `"Heading" { key… } "Next" { key… }`. A section type is itself a key type, and so is a list of
/// one. `Debug` leaves out the values of secret keys.
///
/// ```
/// use std::time::Duration;
/// use cloverleaf_config::{Document, Reader, section};
///
/// section! {
///     /// A listener.
///     pub struct Listener {
///         /// Port to listen on.
///         port: u16 = 8080 => Works,
///         /// How long an idle connection is kept.
///         idle_timeout: Duration = Duration::from_secs(60) => Later,
///     }
/// }
///
/// let document = Document::parse("idle_timeout: 1m30s")?;
/// let (listener, reader) = Reader::read::<Listener>(&document);
/// assert_eq!(listener.port, 8080);
/// assert_eq!(listener.idle_timeout, Duration::from_secs(90));
/// let reading = reader.finish("listener.yml");
/// assert_eq!(reading.report, None);
/// assert_eq!(reading.not_yet[0].key, "idle_timeout");
/// # Ok::<(), cloverleaf_config::Problem>(())
/// ```
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $(
                $group:literal {
                    $(
                        $(#[doc = $doc:literal])*
                        $field:ident: $type:ty $(= $default:expr)? => $status:ident $(($why:literal))?
                        $(also $also:literal)? $(shown $shown:literal)?,
                    )*
                }
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq)]
        pub struct $name {
            $($(
                $(#[doc = $doc])*
                pub $field: $type,
            )*)*
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self {
                    $($($field: $crate::section!(@default $($default)?),)*)*
                }
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(stringify!($name))
                    $($(.field(
                        stringify!($field),
                        &$crate::Guarded(stringify!($field), &self.$field),
                    ))*)*
                    .finish()
            }
        }

        impl $crate::Value for $name {
            const KEYS: &'static [$crate::Key] = &[
                $($($crate::Key {
                    field: stringify!($field),
                    also: $crate::section!(@option $($also)?),
                    group: $group,
                    doc: concat!($($doc, "\n"),*),
                    kind: <$type as $crate::Value>::kind,
                    default: || {
                        $crate::section!(@shown $type $(= $default)? $(; $shown)?)
                    },
                    keys: || <$type as $crate::Value>::KEYS,
                    list: <$type as $crate::Value>::LIST,
                    status: $crate::Status::$status $(($why))?,
                },)*)*
            ];

            fn kind() -> String {
                "map".to_owned()
            }

            fn read(&mut self, node: &$crate::Node, reader: &mut $crate::Reader<'_>) {
                if !reader.enter(node, Self::KEYS) {
                    return;
                }
                $($(reader.field(node, Self::KEYS, stringify!($field), &mut self.$field);)*)*
            }

            fn show(&self) -> String {
                String::new()
            }

            fn merge(
                &mut self,
                newer: &Self,
                path: &str,
                take: &mut dyn FnMut($crate::Change) -> bool,
            ) {
                $($(
                    let below = $crate::below(path, stringify!($field).trim_start_matches("r#"));
                    $crate::Value::merge(&mut self.$field, &newer.$field, &below, take);
                )*)*
            }
        }
    };

    (
        $(#[doc = $about:literal])*
        pub struct $name:ident { $($rest:tt)* }
    ) => {
        $crate::section! {
            $(#[doc = $about])*
            pub struct $name { "" { $($rest)* } }
        }
    };

    (@default) => { ::core::default::Default::default() };
    (@default $default:expr) => { $default };

    (@option) => { ::core::option::Option::None };
    (@option $value:literal) => { ::core::option::Option::Some($value) };

    (@shown $type:ty; $shown:literal) => { $shown.to_owned() };
    (@shown $type:ty = $default:expr; $shown:literal) => { $shown.to_owned() };
    (@shown $type:ty) => {
        <$type as $crate::Value>::show(&<$type as ::core::default::Default>::default())
    };
    (@shown $type:ty = $default:expr) => {{
        let default: $type = $default;
        <$type as $crate::Value>::show(&default)
    }};
}

/// A field's value for `Debug`, hidden when the field's name says that it is a secret.
pub struct Guarded<'a>(pub &'static str, pub &'a dyn fmt::Debug);

impl fmt::Debug for Guarded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_secret(self.0) {
            f.write_str(REDACTED)
        } else {
            self.1.fmt(f)
        }
    }
}

#[cfg(test)]
mod tests;
