//! What holds without any server: the shape of the code, and the CRD that is generated from it.

mod architecture;
mod crd;
