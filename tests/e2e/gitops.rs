//! GitOps: what kstatus, Argo CD and Flux make of an object in every state it can be in.
