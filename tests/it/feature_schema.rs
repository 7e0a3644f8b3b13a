//! The engine shows its networks the schema that the training exports them for.

use algospace_hft::agents::model_set::{FeatureSchema, ModelSet};
use algospace_hft::features::IndicatorSettings;
use algospace_hft::matrix::MatricesSettings;

/// `training/algospace_train/feature_schema.json` holds the schema of the default configuration, as
/// it is.
#[test]
fn the_training_has_the_engines_schema() {
    let schema = FeatureSchema::of(&IndicatorSettings::default(), &MatricesSettings::default());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/training/algospace_train/feature_schema.json");
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_FEATURE_SCHEMA").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        text,
        "out of date: run UPDATE_FEATURE_SCHEMA=1 cargo test --test it feature_schema::, then export the models again"
    );
}

#[test]
fn the_built_in_set_was_made_for_the_default_configuration() {
    let engine = FeatureSchema::of(&IndicatorSettings::default(), &MatricesSettings::default());
    let set = ModelSet::built_in().unwrap();
    assert_eq!(set.manifest().feature_schema.difference(&engine), None);
}
