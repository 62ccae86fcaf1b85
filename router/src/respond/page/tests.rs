//! Pages as html/template would make them.

use super::*;

const HOSTILE: &str = r#"<script>"a+b" & 'c' = `d`</script>"#;

fn render(template: &str, message: &str) -> String {
    let page = Page::parse(template).unwrap_or_else(|error| panic!("{template}: {error}"));
    let shown = Shown {
        status: 404,
        status_text: "Not Found",
        message,
        headers: &[("X-Cf-RouterError", "unknown_route"), ("Empty", "")],
    };
    String::from_utf8(page.render(&shown)).unwrap()
}

fn refused(template: &str) -> PageError {
    match Page::parse(template) {
        Ok(_) => panic!("{template} was taken"),
        Err(error) => error,
    }
}

#[test]
fn values_are_shown_where_they_stand() {
    for (template, shown) in [
        ("", ""),
        ("plain {single} } {", "plain {single} } {"),
        (
            "{{.Status}}|{{.StatusText}}|{{.Message}}",
            "404|Not Found|text",
        ),
        (r#"{{.Header.Get "x-cf-routererror"}}"#, "unknown_route"),
        (r#"{{.Header.Get "Missing"}}."#, "."),
        (
            r#"{{"a\"\\\x41\u00e4"}}{{`b\n`}}{{-7}}{{true}}"#,
            "a&#34;\\Aäb\\n-7true",
        ),
        ("{{$.Status}}{{(.Status)}}{{/* note {{ }} */}}", "404404"),
        ("a \n {{- .Status -}} \t b {{- /* c */ -}} d", "a404bd"),
        ("{{ .Status\n}}", "404"),
    ] {
        assert_eq!(render(template, "text"), shown, "{template}");
    }
}

#[test]
fn branches_follow_go() {
    for (template, shown) in [
        ("{{if .Message}}a{{else}}b{{end}}", "a"),
        (r#"{{if .Header.Get "Empty"}}a{{else}}b{{end}}"#, "b"),
        (
            "{{if eq .Status 500}}a{{else if eq .Status 400 404}}b{{else}}c{{end}}",
            "b",
        ),
        ("{{if and .Message (eq .Status 404)}}a{{end}}", "a"),
        (r#"{{if or "" 0 false}}a{{else}}b{{end}}"#, "b"),
        (
            r#"{{or "" .StatusText}}{{and .Status ""}}{{and 1 2}}"#,
            "Not Found2",
        ),
        ("{{not .Status}}{{not false}}", "falsetrue"),
        (
            "{{lt 1 2}}{{le 2 2}}{{gt 1 2}}{{ge 1 2}}{{ne 1 2}}",
            "truetruefalsefalsetrue",
        ),
        (r#"{{lt "a" "b"}}{{eq true false}}"#, "truefalse"),
        (
            r#"{{with .Header.Get "X-Cf-RouterError"}}{{.}} of {{$.Status}}{{end}}"#,
            "unknown_route of 404",
        ),
        (
            r#"{{with ""}}a{{else with .Status}}{{eq . 404}}{{end}}"#,
            "true",
        ),
        (
            "{{with .Status}}{{with .}}{{.}}{{end}}{{else}}{{.Message}}{{end}}",
            "404",
        ),
        ("{{with 1}}{{if eq . 1}}{{.}}{{end}}{{end}}", "1"),
    ] {
        assert_eq!(render(template, "text"), shown, "{template}");
    }
}

#[test]
fn values_are_escaped_for_their_place() {
    let text = "&lt;script&gt;&#34;a&#43;b&#34; &amp; &#39;c&#39; = `d`&lt;/script&gt;";
    let bare = "&lt;script&gt;&#34;a&#43;b&#34;&#32;&amp;&#32;&#39;c&#39;&#32;&#61;&#32;&#96;d&#96;&lt;/script&gt;";
    for (template, shown) in [
        ("<p>{{.Message}}</p>", format!("<p>{text}</p>")),
        (
            "<title>{{.Message}}</title>",
            format!("<title>{text}</title>"),
        ),
        (
            "<textarea>{{.Message}}</textarea>",
            format!("<textarea>{text}</textarea>"),
        ),
        (
            "<p title=\"{{.Message}}\">",
            format!("<p title=\"{text}\">"),
        ),
        (
            "<p title = 'a {{.Message}} b'>",
            format!("<p title = 'a {text} b'>"),
        ),
        ("<p title={{.Message}}>", format!("<p title={bare}>")),
        ("<p title=a{{.Message}} x>", format!("<p title=a{bare} x>")),
        (
            "<p data-message=\"{{.Message}}\">",
            format!("<p data-message=\"{text}\">"),
        ),
        (
            "<script>if (a<b) {}</script>{{.Message}}",
            format!("<script>if (a<b) {{}}</script>{text}"),
        ),
        (
            "<style>a>b{}</STYLE\n>{{.Message}}",
            format!("<style>a>b{{}}</STYLE\n>{text}"),
        ),
    ] {
        assert_eq!(render(template, HOSTILE), shown, "{template}");
    }
    assert_eq!(render("<p title={{.Message}}>", ""), "<p title=ZgotmplZ>");
    assert_eq!(render("{{.Message}}", "a\0ä"), "a\u{fffd}ä");
    assert_eq!(
        render("<p a={{.Message}}>", "\0\u{ffff}"),
        "<p a=&#xfffd;&#xffff;>"
    );
}

#[test]
fn literal_text_is_sent_as_html_template_sends_it() {
    for (template, shown) in [
        (
            "<!DOCTYPE html>\n<a-b c>x</a-b>",
            "<!DOCTYPE html>\n<a-b c>x</a-b>",
        ),
        ("a < b <1 <{{.Status}}", "a &lt; b &lt;1 &lt;404"),
        ("a<!-- b {{.Message}} <i> -->c", "ac"),
        ("a<!-- {{if .Status}}b{{end}} -->", "a"),
        ("<title>a < b</title>", "<title>a &lt; b</title>"),
        (
            "<br/><img src=\"/a.png\" alt=''/>",
            "<br/><img src=\"/a.png\" alt=''/>",
        ),
        ("<p {{if .Status}}class=\"a\"{{end}}>", "<p class=\"a\">"),
        ("<input {{if .Status}}checked{{end}}>", "<input checked>"),
        (
            "<a href=\"https://help.test/?a=b&c\">x</a>",
            "<a href=\"https://help.test/?a=b&c\">x</a>",
        ),
    ] {
        assert_eq!(render(template, "text"), shown, "{template}");
    }
}

#[test]
fn what_is_not_supported_is_refused_with_its_line() {
    for (template, line) in [
        ("\n{{range .X}}{{end}}", 2),
        ("{{define \"x\"}}{{end}}", 1),
        ("{{template \"x\"}}", 1),
        ("{{block \"x\" .}}{{end}}", 1),
        ("a\n\n{{printf \"%d\" .Status}}", 3),
        ("{{.Message | html}}", 1),
        ("{{$x := 1}}", 1),
        ("{{.}}", 1),
        ("{{$}}", 1),
        ("{{.Header}}", 1),
        ("{{.Header.Set \"a\"}}", 1),
        ("{{.Header.Get}}", 1),
        ("{{.Header.Get 1}}", 1),
        ("{{eq .Header.Get \"a\" \"b\"}}", 1),
        ("{{.Other}}", 1),
        ("{{.Status.X}}", 1),
        ("{{.Status 1}}", 1),
        ("{{}}", 1),
        ("{{\n\n.Status", 1),
        ("{{/* a", 1),
        ("{{/* a */ b}}", 1),
        ("{{\"a\n\"}}", 1),
        ("{{\"\\q\"}}", 1),
        ("{{'a'}}", 1),
        ("{{1.5}}", 1),
        ("{{012}}", 1),
        ("{{if}}{{end}}", 1),
        ("\n{{if .Status}}\n", 2),
        ("{{if .Status}}{{else}}{{else}}{{end}}", 1),
        ("{{if .Status}}{{else}}", 1),
        ("{{end}}", 1),
        ("\n{{else}}", 2),
        ("{{eq .Status \"404\"}}", 1),
        ("{{eq .Status}}", 1),
        ("{{ne 1 2 3}}", 1),
        ("{{lt true false}}", 1),
        ("{{eq (or 1 \"\") 1}}", 1),
        ("{{with .Message}}{{.Status}}{{end}}", 1),
        ("{{with .Message}}{{.Header.Get \"a\"}}{{end}}", 1),
        ("{{(.Status}}", 1),
        ("{{.Status)}}", 1),
        ("<script>\n{{.Message}}</script>", 2),
        ("<style>{{.Message}}</style>", 1),
        ("<a href=\"{{.Message}}\">", 1),
        ("<img data-src={{.Message}}>", 1),
        ("<p onclick='{{.Message}}'>", 1),
        ("<p style=\"{{.Message}}\">", 1),
        ("<iframe srcdoc=\"{{.Message}}\">", 1),
        ("<p {{.Message}}>", 1),
        ("<p a{{.Message}}=b>", 1),
        ("<p{{.Message}}>", 1),
        ("<p a=b\"c>", 1),
        ("\n<p \"a\">", 2),
        ("<p", 1),
        ("a\n<!-- b", 2),
        ("{{if .Status}}<p {{end}}a>", 1),
        ("{{if .Status}}<script>{{end}}</script>", 1),
    ] {
        let error = refused(template);
        assert_eq!(error.line, line, "{template}: {error}");
    }
}

#[test]
fn a_refusal_says_what_was_found_and_what_could_stand_there() {
    assert_eq!(
        refused("a\n{{range .Items}}").to_string(),
        format!("line 2: `range`: not supported; {SUPPORTED}")
    );
    assert_eq!(
        refused("<a href={{.Message}}>").to_string(),
        "line 1: an action: not supported in an attribute with an address"
    );
}

#[test]
fn nesting_has_a_bound() {
    let many = |count: usize| "{{if 1}}".repeat(count) + &"{{end}}".repeat(count);
    assert!(Page::parse(&many(60)).is_ok());
    assert!(Page::parse(&many(70)).is_err());
    assert!(Page::parse(&format!("{{{{{}1{}}}}}", "(".repeat(40), ")".repeat(40))).is_err());
    let chain = "{{if 1}}".to_owned() + &"{{else if 1}}".repeat(100_000);
    assert!(Page::parse(&chain).is_err());
}
