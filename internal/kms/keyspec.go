package kms

// KeySpec is the kind of key.
type KeySpec string

// The key specs whose material KMS imports
// (https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html).
const (
	KeySpecSymmetricDefault KeySpec = "SYMMETRIC_DEFAULT"
	KeySpecHMAC224          KeySpec = "HMAC_224"
	KeySpecHMAC256          KeySpec = "HMAC_256"
	KeySpecHMAC384          KeySpec = "HMAC_384"
	KeySpecHMAC512          KeySpec = "HMAC_512"
	KeySpecRSA2048          KeySpec = "RSA_2048"
	KeySpecRSA3072          KeySpec = "RSA_3072"
	KeySpecRSA4096          KeySpec = "RSA_4096"
	KeySpecECCP256          KeySpec = "ECC_NIST_P256"
	KeySpecECCP384          KeySpec = "ECC_NIST_P384"
	KeySpecECCP521          KeySpec = "ECC_NIST_P521"
	KeySpecECCP256K1        KeySpec = "ECC_SECG_P256K1"
)

// The key specs that KMS has, and whose material it does not import or this operator does not know how to.
const (
	KeySpecECCEd25519 KeySpec = "ECC_NIST_EDWARDS25519"
	KeySpecMLDSA44    KeySpec = "ML_DSA_44"
	KeySpecMLDSA65    KeySpec = "ML_DSA_65"
	KeySpecMLDSA87    KeySpec = "ML_DSA_87"
	KeySpecMLKEM512   KeySpec = "ML_KEM_512"
	KeySpecMLKEM768   KeySpec = "ML_KEM_768"
	KeySpecMLKEM1024  KeySpec = "ML_KEM_1024"
	KeySpecSM2        KeySpec = "SM2" // AWS China Regions only
)

// Imported describes the material that keys of a spec take.
type Imported struct {
	// PrivateKey is true for PKCS#8 private keys and false for raw bytes.
	PrivateKey bool
	// Bytes is the length of the material: exact for raw bytes; for private keys that of the PKCS#8 which names the
	// curve and holds the public key, RSA give or take a few.
	Bytes int
	// Usages are the KeyUsages that such keys can have.
	Usages []string
}

// Imported tells what material keys of this spec take; false for specs that are not importable.
func (s KeySpec) Imported() (Imported, bool) {
	const encrypt, sign, mac, agree = "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"
	imported, ok := map[KeySpec]Imported{
		KeySpecSymmetricDefault: {false, 32, []string{encrypt}},
		KeySpecHMAC224:          {false, 28, []string{mac}},
		KeySpecHMAC256:          {false, 32, []string{mac}},
		KeySpecHMAC384:          {false, 48, []string{mac}},
		KeySpecHMAC512:          {false, 64, []string{mac}},
		KeySpecRSA2048:          {true, 1218, []string{encrypt, sign}},
		KeySpecRSA3072:          {true, 1793, []string{encrypt, sign}},
		KeySpecRSA4096:          {true, 2375, []string{encrypt, sign}},
		KeySpecECCP256:          {true, 138, []string{sign, agree}},
		KeySpecECCP384:          {true, 185, []string{sign, agree}},
		KeySpecECCP521:          {true, 241, []string{sign, agree}},
		KeySpecECCP256K1:        {true, 135, []string{sign}},
	}[s]
	return imported, ok
}
