package awskms

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// fourHeaders signs content-type, host, x-amz-date and x-amz-target, and sends no other header that could be signed.
// QKMS documents just these, and a verifier that rebuilds the signed text from a fixed list takes no more. The SDK would
// sign the length and its own amz-sdk-* headers too.
type fourHeaders struct {
	signer *v4.Signer
}

// SignHTTP implements the SDK's HTTPSignerV4. Credentials with a session token, which would need a fifth header, do not
// come here: see credentials.
func (f fourHeaders) SignHTTP(
	ctx context.Context, with aws.Credentials, request *http.Request, payloadHash, service, region string, at time.Time,
	options ...func(*v4.SignerOptions),
) error {
	signed := request.Clone(ctx)
	signed.Header = only(request.Header, "Content-Type", "X-Amz-Target")
	signed.ContentLength = 0 // what is positive gets signed
	if err := f.signer.SignHTTP(ctx, with, signed, payloadHash, service, region, at, options...); err != nil {
		return err
	}
	header := only(request.Header, "User-Agent")
	maps.Copy(header, signed.Header)
	request.Header = header
	return nil
}

func only(header http.Header, names ...string) http.Header {
	kept := http.Header{}
	for _, name := range names {
		if values, found := header[name]; found {
			kept[name] = values
		}
	}
	return kept
}
