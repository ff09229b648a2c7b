package main

// equivalent are mutants that change nothing, with the reason.
var equivalent = map[string]string{} //nolint:gochecknoglobals // a table that nothing writes to
