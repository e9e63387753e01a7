//! What holds without any server: the pure core's laws and tables, the shape of the code, and the CRD that is generated from it.

mod architecture;
mod budgets;
mod crd;
mod documents;
mod exposures;
mod generated;
mod laws;
mod messages;
mod model;
mod monitoring;
mod papers;
mod passes;
mod sightings;
mod source;
mod statuses;
mod validate;
