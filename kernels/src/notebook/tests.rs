use super::{Document, Kind, Progress};

fn document(cells: &str) -> Document {
    Document::parse(&format!(
        "{{\"cells\": [{cells}], \"metadata\": {{}}, \"nbformat\": 4, \"nbformat_minor\": 5}}"
    ))
    .unwrap()
}

fn cell(id: &str, tags: &str) -> String {
    format!(
        "{{\"cell_type\": \"code\", \"id\": \"{id}\", \"metadata\": {{\"tags\": [{tags}]}}, \"outputs\": [], \
         \"execution_count\": null, \"source\": [\"a = 1\\n\", \"b\"]}}"
    )
}

#[test]
fn a_notebook_that_is_not_touched_is_written_as_it_was() {
    let text = "{\n \"cells\": [\n  {\n   \"cell_type\": \"markdown\",\n   \"metadata\": {},\n   \"source\": []\n  }\n ],\n \
                \"metadata\": {\n  \"x\": 1.0\n },\n \"nbformat\": 4,\n \"nbformat_minor\": 5\n}\n";
    assert_eq!(Document::parse(text).unwrap().render(), text);
    let marked = format!("\u{feff}{text}");
    assert_eq!(Document::parse(&marked).unwrap().render(), text);
}

#[test]
fn sources_are_text_or_lines() {
    let document = document(&cell("a", ""));
    let first = &document.cells()[0];
    assert_eq!((first.kind(), first.source()), (Kind::Code, "a = 1\nb"));
    assert_eq!(first.title(), "a = 1");
    assert_eq!(document.code_cells().collect::<Vec<_>>(), [0]);
}

#[test]
fn the_injected_cell_goes_after_the_parameters_or_takes_the_place_of_the_old_one() {
    let mut bare = document(&cell("a", ""));
    assert_eq!(bare.inject("x = 1\n"), 0);
    assert_eq!(bare.inject("x = 2\n"), 0);
    assert_eq!(bare.cells().len(), 2);
    let both = format!(
        "{}, {}, {}",
        cell("a", ""),
        cell("b", "\"parameters\""),
        cell("c", "\"parameters\"")
    );
    let mut tagged = document(&both);
    assert_eq!(tagged.inject("x = 1\n"), 2);
    let old = tagged.cells()[2].id();
    assert_eq!(tagged.inject("x = 2\n"), 2);
    assert_eq!((tagged.cells().len(), tagged.cells()[2].id()), (4, old));
    assert!(nbformat::parse_notebook(&tagged.render()).is_ok());
}

#[test]
fn old_formats_get_no_cell_ids() {
    let mut old = Document::parse(
        "{\"cells\": [], \"metadata\": {}, \"nbformat\": 4, \"nbformat_minor\": 4}",
    )
    .unwrap();
    old.inject("x = 1\n");
    assert!(!old.render().contains("\"id\""));
}

#[test]
fn the_kernel_and_the_language_are_read_from_the_metadata() {
    let text =
        |metadata: &str| format!("{{\"cells\": [], \"metadata\": {metadata}, \"nbformat\": 4}}");
    let named = Document::parse(&text(
        "{\"kernelspec\": {\"name\": \"ir\", \"language\": \"R\"}}",
    ))
    .unwrap();
    assert_eq!(named.kernel_name().as_deref(), Some("ir"));
    assert_eq!(named.language().as_deref(), Some("r"));
    for odd in [
        "{}",
        "{\"kernelspec\": 3}",
        "{\"kernelspec\": {\"name\": []}}",
    ] {
        assert_eq!(Document::parse(&text(odd)).unwrap().kernel_name(), None);
    }
}

#[test]
fn progress_keeps_the_other_metadata_of_a_cell() {
    let mut document = document(&cell("a", "\"keep\""));
    let target = document.cell_mut(0);
    target.set_progress(&Progress::running(1000).ended(3500, false));
    target.set_results(Some(4), "[]".into());
    let saved: serde_json::Value = serde_json::from_str(&document.render()).unwrap();
    let cell = &saved["cells"][0];
    assert_eq!(cell["metadata"]["tags"][0], "keep");
    assert_eq!(cell["metadata"]["papermill"]["duration"], 2.5);
    assert_eq!(
        cell["metadata"]["papermill"]["start_time"],
        "1970-01-01T00:00:01.000000+00:00"
    );
    assert_eq!(cell["execution_count"], 4);
}

#[test]
fn a_pipe_is_refused_without_waiting_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("in.ipynb");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for path in [pipe.as_path(), folder.path()] {
        let error = Document::read(path).unwrap_err().to_string();
        assert!(error.contains("not a file"), "{error}");
    }
}

#[test]
fn deep_and_odd_notebooks_do_not_crash() {
    let deep = "[".repeat(200_000);
    for text in [
        deep.as_str(),
        "",
        "null",
        "3",
        "\"x\"",
        "{\"nbformat\": \"4\"}",
        "{\"nbformat\": -1}",
        "{\"nbformat\": 4, \"cells\": {}}",
        "{\"nbformat\": 4, \"cells\": [], \"metadata\": []}",
        "{\"nbformat\": 4, \"cells\": [{\"cell_type\": 1}]}",
        "{\"nbformat\": 4, \"cells\": [{\"cell_type\": \"code\", \"source\": [1]}]}",
    ] {
        Document::parse(text).unwrap_err();
    }
}
