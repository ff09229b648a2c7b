package localkms_test

import (
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

func slow(o *localkms.Options) { o.Propagation.Delay = 10 * time.Second }

// TestPropagation shows a key come to be, get its material and lose it, each seen 10 seconds late.
func TestPropagation(t *testing.T) {
	f := newFixture(t, slow)
	keyID := f.must("CreateKey", object{"Origin": "EXTERNAL"}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	describe, parameters := object{"KeyId": keyID}.String(), object{"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}.String()
	f.expect(f.call("DescribeKey", describe), "NotFoundException", "Key '"+arnOf(keyID)+"' does not exist")
	f.expect(f.call("GetParametersForImport", parameters), "NotFoundException", "")
	f.clock.advance(10*time.Second - time.Nanosecond)
	f.expect(f.call("DescribeKey", describe), "NotFoundException", "")
	f.clock.advance(time.Nanosecond)
	f.expectState(keyID, "PendingImport")

	f.expect(f.importMaterial(keyID, bytesOf(1, 32), nil), "", "")
	f.expectState(keyID, "PendingImport")
	f.expect(f.call("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}.String()), "KMSInvalidStateException", arnOf(keyID)+" is pending import.")
	f.clock.advance(10 * time.Second)
	f.expectState(keyID, "Enabled")

	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
	f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")})
	f.clock.advance(5 * time.Second)
	f.expect(f.importMaterial(keyID, bytesOf(1, 32), nil), "", "") // a change acts on the key as it is
	f.clock.advance(5 * time.Second)
	f.expectState(keyID, "PendingImport") // as it was 10 seconds ago
	f.clock.advance(5 * time.Second)
	f.expectState(keyID, "Enabled")
}

// TestFlicker shows what is even harder to read: every second look sees the change.
func TestFlicker(t *testing.T) {
	f := newFixture(t, slow, func(o *localkms.Options) { o.Propagation.Flicker = true })
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.clock.advance(10 * time.Second)
	f.must("DisableKey", object{"KeyId": keyID})
	for _, want := range []string{"Enabled", "Disabled", "Enabled", "Disabled"} {
		f.expectState(keyID, want)
	}
	f.clock.advance(10 * time.Second)
	for range 2 {
		f.expectState(keyID, "Disabled")
	}
}

// TestAliasPropagation is the same for the names of keys.
func TestAliasPropagation(t *testing.T) {
	f := newFixture(t, slow)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.clock.advance(10 * time.Second)
	f.must("CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": keyID})
	describe := object{"KeyId": "alias/a"}.String()
	f.expect(f.call("DescribeKey", describe), "NotFoundException", "")
	f.expect(f.call("CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": keyID}.String()), "AlreadyExistsException", "")
	f.clock.advance(10 * time.Second)
	f.expect(f.call("DescribeKey", describe), "", "")
	f.must("DeleteAlias", object{"AliasName": "alias/a"})
	f.expect(f.call("DescribeKey", describe), "", "")
	f.clock.advance(10 * time.Second)
	f.expect(f.call("DescribeKey", describe), "NotFoundException", "")
}

// TestLateExpiry shows material that outlives its date, as KMS may be slow to delete it.
func TestLateExpiry(t *testing.T) {
	f := newFixture(t, func(o *localkms.Options) { o.LateExpiry = time.Minute })
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	f.expect(f.importMaterial(keyID, bytesOf(1, 32), object{"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": start.Add(time.Hour).Unix()}), "", "")
	f.clock.advance(time.Hour + time.Minute - time.Nanosecond)
	f.expectState(keyID, "Enabled")
	f.clock.advance(time.Nanosecond)
	f.expectState(keyID, "PendingImport")
}

// TestFlickerByRegion shows that a look at one Region's aliases is not one at another's.
func TestFlickerByRegion(t *testing.T) {
	f := newFixture(t, slow, func(o *localkms.Options) { o.Propagation.Flicker = true })
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.clock.advance(10 * time.Second)
	f.must("CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": keyID})
	describe := object{"KeyId": "alias/a"}.String()
	f.expect(f.call("DescribeKey", describe), "NotFoundException", "")
	f.region("eu-west-1").must("ListAliases", object{})
	f.expect(f.call("DescribeKey", describe), "", "")
}
