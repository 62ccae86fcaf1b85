//! Metrics in the text form.

/// What `/metrics` said.
#[derive(Clone, Debug)]
pub struct Metrics(String);

impl Metrics {
    pub(crate) fn new(text: String) -> Metrics {
        Metrics(text)
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The sum of all series of a name, whatever their labels; 0 when there is none.
    pub fn sum(&self, name: &str) -> f64 {
        self.series(name).map(|(_, value)| value).sum()
    }

    /// The value of the series of a name that has this label, as `status_group="2xx"`; 0 when there is none.
    pub fn labelled(&self, name: &str, label: &str) -> f64 {
        self.series(name)
            .filter(|(labels, _)| labels.split(',').any(|other| other == label))
            .map(|(_, value)| value)
            .sum()
    }

    fn series(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(labelled) => labelled.split_once('}')?,
                None => ("", rest),
            };
            // Another name that begins alike has no blank here.
            Some((labels, value.strip_prefix(' ')?.parse().ok()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_found_by_name_and_label() {
        let metrics =
            Metrics::new("# HELP a x\na{b=\"1\",c=\"2\"} 3\na{b=\"2\"} 4\na_total 9\nd 5\n".into());
        assert!(metrics.text().starts_with("# HELP"));
        assert_eq!(metrics.sum("a"), 7.0);
        assert_eq!(metrics.labelled("a", "b=\"2\""), 4.0);
        assert_eq!(metrics.sum("d"), 5.0);
        assert_eq!(metrics.sum("missing"), 0.0);
    }
}
