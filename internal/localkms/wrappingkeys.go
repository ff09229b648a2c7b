package localkms

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"sync"
)

// ringSize is how many wrapping keys there are of each length. Two would keep successive answers apart; four
// make it likely that a key remembered from earlier answers is not the right one either.
const ringSize = 4

// wrappingKeyID names a wrapping key inside import tokens.
type wrappingKeyID [16]byte

// A wrappingKey is an RSA key that material is encrypted under on its way in.
type wrappingKey struct {
	id      wrappingKeyID
	private *rsa.PrivateKey
	public  []byte // DER, SubjectPublicKeyInfo
}

// WrappingKeys generates and holds the RSA keys that GetParametersForImport hands out: a ring of four per
// length, generated in the background from the first demand for that length, then handed out in turn. One
// WrappingKeys can serve many servers, each of which has import tokens of its own. It is safe for concurrent use.
type WrappingKeys struct {
	closed chan struct{}

	mu    sync.Mutex
	rings map[int]*ring // by modulus length
	byID  map[wrappingKeyID]*wrappingKey
}

// A ring is the wrapping keys of one length.
type ring struct {
	keys  []*wrappingKey
	next  int
	grown chan struct{} // closed, and replaced, whenever there is another key
}

// NewWrappingKeys makes an empty pool. The first key of a length takes from some tens of milliseconds (2048
// bits) to seconds (4096 bits).
func NewWrappingKeys() *WrappingKeys {
	return &WrappingKeys{
		closed: make(chan struct{}),
		rings:  map[int]*ring{},
		byID:   map[wrappingKeyID]*wrappingKey{},
	}
}

// Close ends the generation of keys behind the one being generated, for which it does not wait. Keys that are
// there can still be used. Close may be called more than once and never fails.
func (w *WrappingKeys) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isClosed() {
		close(w.closed)
	}
	return nil
}

func (w *WrappingKeys) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

// pick returns the next key of a length that is not the one to avoid. Where there is none yet, it returns nil
// and a channel that is closed when it is worth asking again.
func (w *WrappingKeys) pick(bits int, avoid wrappingKeyID) (*wrappingKey, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, started := w.rings[bits]
	if !started {
		r = &ring{grown: make(chan struct{})}
		w.rings[bits] = r
		go w.fill(r, bits)
	}
	for range r.keys {
		k := r.keys[r.next]
		r.next = (r.next + 1) % len(r.keys)
		if k.id != avoid {
			return k, nil
		}
	}
	return nil, r.grown
}

// fill generates the keys of a ring, one after the other.
func (w *WrappingKeys) fill(r *ring, bits int) {
	for range ringSize {
		if w.isClosed() {
			return
		}
		w.add(r, newWrappingKey(bits))
	}
}

func (w *WrappingKeys) add(r *ring, k *wrappingKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.keys = append(r.keys, k)
	w.byID[k.id] = k
	close(r.grown)
	r.grown = make(chan struct{})
}

// find returns the key that an import token names.
func (w *WrappingKeys) find(id wrappingKeyID) (*wrappingKey, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, found := w.byID[id]
	return k, found
}

// newWrappingKey generates a key. With one of the three lengths of KMS and the randomness of crypto/rand, both
// of which the standard library promises to work, neither call can fail.
func newWrappingKey(bits int) *wrappingKey {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic("generate wrapping key: " + err.Error())
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		panic("encode wrapping key: " + err.Error())
	}
	k := &wrappingKey{private: private, public: public}
	_, _ = rand.Read(k.id[:]) // documented never to fail
	return k
}
