// Package sigv4 verifies AWS Signature Version 4 on requests to a KMS
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
//
//	verifier := sigv4.New(sigv4.Options{Credentials: credentials, ValidRegion: known, Now: time.Now})
//	...
//	identity, err := verifier.Verify(request, body)
//
// The error is an [*Error], whose Kind the caller turns into a code of the protocol, and whose Message is AWS's
// sentence where that is known.
//
// Signatures and session tokens are compared in constant time, and a request with an unknown access key costs what one
// with a known key costs: it is signed with a secret that nobody knows. What a message says is another matter: AWS's
// tell an unknown access key from a wrong signature, and so do these.
//
// Signatures in the query, as presigned URLs have them, are not supported: such a request counts as unsigned. Nor are
// payloads that are streamed or left unsigned: the body is always part of the signature. The date is that of X-Amz-Date,
// never of Date. A session token belongs in X-Amz-Security-Token, which has to be signed, like every header whose name
// starts with x-amz-.
package sigv4
