//! Aggregation for the command line: nothing is served.

use std::io::{Read, Write};

use crate::{
    config::Config,
    modules::aggregation::api::{Imported, RunFault, RunOutcome, RunRequest, TransformFault},
};

#[cfg(not(feature = "aggregation"))]
const MISSING: &str = "role `aggregation` is not compiled into this binary";

/// Runs a source or an endpoint once.
pub async fn aggregate(config: &Config, request: &RunRequest) -> Result<RunOutcome, RunFault> {
    #[cfg(feature = "aggregation")]
    let outcome = {
        let databases = super::aggregation::databases(config);
        crate::modules::aggregation::run(&config.aggregation, &databases, request).await
    };
    #[cfg(not(feature = "aggregation"))]
    let outcome = std::future::ready(missing(config, request)).await;
    outcome
}

#[cfg(not(feature = "aggregation"))]
fn missing(_: &Config, _: &RunRequest) -> Result<RunOutcome, RunFault> {
    Err(RunFault::Failed(MISSING.to_owned()))
}

/// Applies rules to data.
pub fn transform(rules: &str, data: Vec<u8>) -> Result<String, TransformFault> {
    #[cfg(feature = "aggregation")]
    return crate::modules::aggregation::transform(rules, data);
    #[cfg(not(feature = "aggregation"))]
    {
        let _ = (rules, data);
        Err(TransformFault::Data(MISSING.to_owned()))
    }
}

/// Applies rules to one line of JSON after the other, in constant memory.
pub fn transform_lines(rules: &str, input: &mut dyn Read, output: &mut dyn Write) -> Result<(), TransformFault> {
    #[cfg(feature = "aggregation")]
    return crate::modules::aggregation::transform_lines(rules, input, output);
    #[cfg(not(feature = "aggregation"))]
    {
        let _ = (rules, input, output);
        Err(TransformFault::Data(MISSING.to_owned()))
    }
}

/// Takes a configuration of KrakenD over. The error says why it is none.
pub fn import_krakend(text: &str) -> Result<Imported, String> {
    #[cfg(feature = "aggregation")]
    return crate::modules::aggregation::import_krakend(text);
    #[cfg(not(feature = "aggregation"))]
    {
        let _ = text;
        Err(MISSING.to_owned())
    }
}
