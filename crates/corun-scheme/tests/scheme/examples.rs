//! Every script under `examples/` prints what stands beside it.

use std::path::Path;

use crate::support::{command, run};

#[test]
fn each_prints_what_it_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut scripts: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "scm"))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 5, "{scripts:?}");
    for script in scripts {
        let expected = std::fs::read_to_string(script.with_extension("out")).unwrap();
        run(&mut command(&[script.to_str().unwrap()]), "").prints(&expected);
    }
}
