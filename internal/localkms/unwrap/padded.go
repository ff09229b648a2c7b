package unwrap

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// AES Key Wrap with Padding (RFC 5649) works on halves of an AES block.
const (
	semiblock = aes.BlockSize / 2
	// minPadded is the length of the shortest wrapping, which is of one to eight bytes.
	minPadded = 2 * semiblock
)

// alternativeIV is the constant half of the integrity value (RFC 5649, section 3). The other half is the length.
func alternativeIV() []byte { return []byte{0xA6, 0x59, 0x59, 0xA6} }

// unwrapPadded undoes AES Key Wrap with Padding. The wrapping is at least minPadded long and a multiple of a
// semiblock. Integrity value, length and padding are checked together and in constant time.
func unwrapPadded(block cipher.Block, wrapped []byte) ([]byte, bool) {
	padded := bytes.Clone(wrapped)
	if len(padded) == minPadded {
		block.Decrypt(padded, padded) // one block is not run through the rounds (RFC 5649, section 4.2)
	} else {
		undoRounds(block, padded)
	}
	integrity, plain := padded[:semiblock], padded[semiblock:]

	length := binary.BigEndian.Uint32(integrity[4:])
	padding := int64(len(plain)) - int64(length)
	ok := subtle.ConstantTimeCompare(integrity[:4], alternativeIV()) &
		subtle.ConstantTimeEq(int32(padding>>3), 0) & //nolint:gosec // 30 bits at most; not 0 if negative or too much
		zeroPadded(plain, int(padding&7))
	if ok != 1 {
		return nil, false
	}
	return plain[:length], true
}

// undoRounds is the unwrapping of RFC 3394, section 2.2.2, in place: what was A there is the first semiblock.
func undoRounds(block cipher.Block, data []byte) {
	count := len(data)/semiblock - 1
	var buffer [aes.BlockSize]byte
	copy(buffer[:semiblock], data)
	for round := 6*count - 1; round >= 0; round-- {
		place := data[(round%count+1)*semiblock:][:semiblock]
		check := binary.BigEndian.Uint64(buffer[:semiblock]) ^ uint64(round+1)
		binary.BigEndian.PutUint64(buffer[:semiblock], check)
		copy(buffer[semiblock:], place)
		block.Decrypt(buffer[:], buffer[:])
		copy(place, buffer[semiblock:])
	}
	copy(data, buffer[:semiblock])
}

// zeroPadded returns 1 if the last bytes of plain, fewer than a semiblock of them, are zero, and 0 otherwise.
func zeroPadded(plain []byte, padding int) int {
	set := 0
	for i, b := range plain[len(plain)-semiblock:] {
		inPadding := subtle.ConstantTimeLessOrEq(semiblock-padding, i)
		set |= subtle.ConstantTimeSelect(inPadding, int(b), 0)
	}
	return subtle.ConstantTimeLessOrEq(set, 0)
}
