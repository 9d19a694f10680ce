//! Tests against a real API server: the control plane is Kubernetes' own kube-apiserver and etcd, manifests go
//! through the real kubectl. `harness` starts all of that once for this test process; the other modules hold
//! the tests, one file per subject.

#![allow(clippy::unwrap_used)]

mod applies;
mod asking;
mod bad_input;
mod calls;
mod commands;
mod completion;
mod corpus;
mod counts;
mod crash;
mod crds;
mod doctor;
mod gates;
mod gitops;
mod harness;
mod image;
mod imports;
mod install;
mod lab;
mod leadership;
mod metrics;
mod pictures;
mod proxy;
mod pulls;
mod quiet;
mod removal;
mod runs;
mod screens;
mod sharing;
mod tenants;
mod triggers;
mod troubles;
mod walk;
mod whole_suite;
