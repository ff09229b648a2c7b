package unwrap

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPublishedVectors has the examples of RFC 5649, section 6.
func TestPublishedVectors(t *testing.T) {
	for name, c := range map[string]struct {
		reason               string
		kek, wrapped, wanted string
	}{
		"20 bytes": {
			reason:  "four bytes of padding, through the rounds of RFC 3394",
			kek:     "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
			wrapped: "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
			wanted:  "c37b7e6492584340bed12207808941155068f738",
		},
		"7 bytes": {
			reason:  "one byte of padding, in a single block",
			kek:     "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
			wrapped: "afbeb0f07dfbf5419200f2ccb50bb24f",
			wanted:  "466f7250617369",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := unwrapPadded(blockOf(t, fromHex(t, c.kek)), fromHex(t, c.wrapped))
			if !ok || hex.EncodeToString(got) != c.wanted {
				t.Errorf("%x, %t, want %s: %s", got, ok, c.wanted, c.reason)
			}
		})
	}
}

// TestEveryLength shows for all lengths that material can have, and more, that what was wrapped comes back, and
// that neither a changed bit nor another key gives anything back.
func TestEveryLength(t *testing.T) {
	for length := 1; length <= 2500; length++ {
		block, plain := blockOf(t, random(32)), random(length)
		wrapped := wrapPadded(block, plain)
		got, ok := unwrapPadded(block, slices.Clone(wrapped))
		if !ok || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes do not come back", length)
		}
		if _, ok := unwrapPadded(blockOf(t, random(32)), wrapped); ok {
			t.Fatalf("%d bytes come back under another key", length)
		}
		at := binary.BigEndian.Uint32(random(4)) % uint32(8*len(wrapped))
		wrapped[at/8] ^= 1 << (at % 8)
		if _, ok := unwrapPadded(block, wrapped); ok {
			t.Fatalf("%d bytes come back although bit %d was changed", length, at)
		}
	}
}

// TestInputIsKept shows that the blob can be unwrapped again.
func TestInputIsKept(t *testing.T) {
	block := blockOf(t, random(32))
	for _, length := range []int{8, 32} {
		wrapped := wrapPadded(block, random(length))
		before := slices.Clone(wrapped)
		unwrapPadded(block, wrapped)
		if diff := cmp.Diff(before, wrapped); diff != "" {
			t.Errorf("%d bytes: %s", length, diff)
		}
	}
}

// TestIntegrity wraps by the book, but for one mistake in what is wrapped.
func TestIntegrity(t *testing.T) {
	for name, c := range map[string]struct {
		reason    string
		integrity string
		plain     string
		ok        bool
	}{
		"right, one block":       {"the base of the others", "a65959a600000005", "0102030405000000", true},
		"right, full block":      {"no padding at all", "a65959a600000008", "0102030405060708", true},
		"right, one byte":        {"the most padding there is", "a65959a600000001", "0100000000000000", true},
		"right, two semiblocks":  {"the base of the others", "a65959a60000000d", "01020304050607080102030405000000", true},
		"right, ends in zeros":   {"zeros in front of the padding are material", "a65959a60000000d", "01020304050607080102000000000000", true},
		"RFC 3394":               {"the IV of key wrap without padding", "a6a6a6a6a6a6a6a6", "0102030405060708", false},
		"first byte of the IV":   {"each byte counts", "a75959a600000005", "0102030405000000", false},
		"last byte of the IV":    {"each byte counts", "a65959a700000005", "0102030405000000", false},
		"nothing":                {"a length of zero", "a65959a600000000", "0000000000000000", false},
		"a semiblock too long":   {"nine bytes in eight", "a65959a600000009", "0102030405060708", false},
		"a semiblock too short":  {"eight bytes in sixteen", "a65959a600000008", "01020304050607080000000000000000", false},
		"longest length":         {"all bits set", "a65959a6ffffffff", "0102030405060708", false},
		"length in the high bit": {"right but for a bit that a signed number has as its sign", "a65959a680000005", "0102030405000000", false},
		"padding, last byte":     {"not zero", "a65959a600000005", "0102030405000001", false},
		"padding, first byte":    {"not zero", "a65959a600000005", "0102030405010000", false},
		"padding, one bit":       {"the highest", "a65959a60000000f", "01020304050607080102030405060780", false},
		"padding, all of it":     {"seven bytes", "a65959a600000001", "0101010101010101", false},
	} {
		t.Run(name, func(t *testing.T) {
			block, plain := blockOf(t, random(32)), fromHex(t, c.plain)
			got, ok := unwrapPadded(block, wrapSemiblocks(block, fromHex(t, c.integrity), plain))
			if ok != c.ok || ok && !bytes.HasPrefix(plain, got) {
				t.Errorf("%x, %t, want %t: %s", got, ok, c.ok, c.reason)
			}
		})
	}
}

// wrapPadded is the wrapping of RFC 5649, section 4.1.
func wrapPadded(block cipher.Block, plain []byte) []byte {
	integrity := binary.BigEndian.AppendUint32([]byte{0xA6, 0x59, 0x59, 0xA6}, uint32(len(plain)))
	padded := append(slices.Clone(plain), make([]byte, (8-len(plain)%8)%8)...)
	return wrapSemiblocks(block, integrity, padded)
}

// wrapSemiblocks is what both RFCs have in common, written as RFC 3394 does in section 2.2.1 with its names.
func wrapSemiblocks(block cipher.Block, iv, plain []byte) []byte {
	n := len(plain) / 8
	if n == 1 {
		out := slices.Concat(iv, plain)
		block.Encrypt(out, out)
		return out
	}
	a, r := slices.Clone(iv), slices.Collect(slices.Chunk(slices.Clone(plain), 8))
	for j := range 6 {
		for i := 1; i <= n; i++ {
			b := slices.Concat(a, r[i-1])
			block.Encrypt(b, b)
			a, r[i-1] = b[:8], b[8:]
			t := uint64(n*j + i)
			binary.BigEndian.PutUint64(a, binary.BigEndian.Uint64(a)^t)
		}
	}
	return slices.Concat(append([][]byte{a}, r...)...)
}

func blockOf(t *testing.T, key []byte) cipher.Block {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return block
}

func random(length int) []byte {
	b := make([]byte, length)
	_, _ = rand.Read(b)
	return b
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
