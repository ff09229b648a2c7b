// Package localkms is a KMS for tests, demos and CI: an [http.Handler] that answers the protocol of AWS KMS, or of QKMS,
// the way the service does for keys with imported key material, with real cryptography behind it.
//
//	kms, err := localkms.New(localkms.Options{})
//	...
//	defer kms.Close()
//	server := httptest.NewServer(kms)
//
// Other modules, which cannot import this package, have hack/localkms/localkmstest. The manual is docs/localkms.md: what
// the server can do, what differs from AWS, and where each choice comes from. A parameter that asks for what is not there
// is refused with UnsupportedOperationException, never ignored.
//
// # How it is made
//
// A request takes its way from [Server.ServeHTTP] through the checks of the front end (protocol, signature, operation) to
// one method of Server with typed parameters, which find their way in and out of JSON in one place, handle. A key is a
// state machine whose methods are the events; it knows neither clock nor lock. The store hands out snapshots to read, at
// one moment, and takes changed copies, so that slow cryptography needs no lock. What depends on the [Dialect] or on an
// [Assumption] is a method of rules.
//
// Four packages below do what knows nothing of the protocol: material (what key material is for each KeySpec, and what
// keys can do), unwrap (the wrapping algorithms, undone), policy (key policies) and sigv4 (signatures).
//
// # Where nobody knows
//
// Where the documentation of the services is silent, or says a thing in two ways, the server takes the reading that is
// harsher for a client, and [Options.Assume] takes another one. [Assumptions] lists them.
//
// # Time
//
// Two clocks govern it. [Options.Now] decides when material expires, when an import token expires and when a key scheduled
// for deletion is gone, so that a test can move a year ahead at once. [Options.SigningNow] judges signature dates only,
// because those are written by clients that read the wall clock.
//
// # Trust
//
// It is a test tool and keeps no secret from whoever runs it: keys and material live unprotected in the memory of the
// process and are lost with it. Requests must be signed (Signature Version 4, compared in constant time), but the transport
// is whatever the caller puts the handler behind. Randomness is that of crypto/rand. Neither logs nor errors carry
// plaintext, material, tokens or request bodies.
//
// The package shares no code with the operator: an unwrapping written apart is what catches a wrapping mistake.
package localkms
