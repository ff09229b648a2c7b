package localkms

import (
	"bytes"
	"testing"
	"time"
)

// FuzzImportToken gives the parser what clients may send, and what a mistake of this server may have sealed. Nothing but
// a token that was sealed is one, and what is one says the same when it is sealed again.
func FuzzImportToken(f *testing.F) {
	sealer := newTokenSealer()
	genuine, err := sealer.seal(importToken{
		Region: "us-east-1", KeyID: "12345678-1234-1234-1234-123456789012", Algorithm: "RSAES_OAEP_SHA_256",
		Expires: time.Date(2031, time.March, 1, 12, 0, 0, 0, time.UTC), Serial: tokenSerial{1},
	})
	if err != nil {
		f.Fatal(err)
	}
	if _, ok := sealer.open(genuine); !ok {
		f.Fatal("a genuine token is none")
	}
	foreign, err := newTokenSealer().seal(importToken{})
	if err != nil {
		f.Fatal(err)
	}
	for _, sent := range [][]byte{nil, {0}, genuine, genuine[1:], genuine[:len(genuine)-1], append(bytes.Clone(genuine), 0), foreign} {
		f.Add(sent, []byte(`{"KeyID":"k","WrappingKey":[1,2],"Expires":"2031-03-01T12:00:00Z"}`))
	}
	f.Add([]byte("x"), []byte(`{"Serial":[256]}`))
	f.Fuzz(func(t *testing.T, sent, plain []byte) {
		if _, ok := sealer.open(sent); ok && !bytes.Equal(sent, genuine) {
			t.Error("a token that was never sealed opens")
		}
		token, ok := sealer.open(sealer.aead.Seal(nil, nil, plain, nil))
		if !ok {
			return
		}
		sealed, err := sealer.seal(token)
		if err != nil {
			t.Fatal(err)
		}
		again, ok := sealer.open(sealed)
		if again.Expires.Equal(token.Expires) {
			again.Expires = token.Expires // the same moment may be written in two ways
		}
		if !ok || again != token {
			t.Errorf("%+v, sealed and opened, is %+v", token, again)
		}
	})
}
