//! Nothing: this package is its programs and the test that measures them.
