package awskms

import (
	"context"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	staticcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms/kmstest"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

var newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// The contract of kms.Service, kept by the adapter over the local KMS.
func TestContract(t *testing.T) {
	isolate(t)
	wrappingKeys := localkms.NewWrappingKeys() // which take long to make
	t.Cleanup(func() { _ = wrappingKeys.Close() })
	t.Run("in every way in which a KMS may behave", func(t *testing.T) { inEveryWay(t, wrappingKeys) })
	t.Run("on one key", func(t *testing.T) { onOneKey(t, wrappingKeys) })
}

func inEveryWay(t *testing.T, wrappingKeys *localkms.WrappingKeys) {
	for name, options := range waysToBehave() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options.WrappingKeys = wrappingKeys
			kmstest.Contract(t, newHarness(t, options))
		})
	}
}

// waysToBehave are both dialects as documented, with changes that show late, and with each assumption by itself and the
// few together that make sense together.
func waysToBehave() map[string]localkms.Options {
	const delay = 10 * time.Second
	ways := map[string]localkms.Options{}
	for _, dialect := range []localkms.Dialect{localkms.AWS, localkms.QKMS} {
		name := string(dialect)
		plain := localkms.Options{Dialect: dialect, StrictSigning: dialect == localkms.QKMS}
		late, flickering := plain, plain
		late.Propagation = localkms.Propagation{Delay: delay}
		flickering.Propagation = localkms.Propagation{Delay: delay, Flicker: true}
		ways[name], ways[name+" shows changes late"], ways[name+" flickers"] = plain, late, flickering
		for _, info := range localkms.Assumptions() {
			if slices.Contains(info.Dialects, dialect) {
				assuming := plain
				assuming.Assume = []localkms.Assumption{info.Assumption}
				ways[name+" "+string(info.Assumption)] = assuming
			}
		}
	}
	for name, together := range map[string][]localkms.Assumption{
		"takes re-imports over material": {localkms.ParametersOverMaterial, localkms.ImportOverMaterial},
		"as local-kms": {
			localkms.ParametersOverMaterial, localkms.ImportOverMaterial, localkms.MaterialStaysAssociated, localkms.TokenReusable,
			localkms.EpochTimestamps, localkms.TextlessIncorrectMaterial,
		},
		"as AWS": {
			localkms.ParametersOverMaterial, localkms.ImportOverMaterial, localkms.MaterialStaysAssociated, localkms.OlderTokensStayValid,
			localkms.FractionalValidTo, localkms.EpochTimestamps, localkms.AWSKeyARNs, localkms.RotationOperations, localkms.EmptyObject,
		},
	} {
		ways["QKMS "+name] = localkms.Options{Dialect: localkms.QKMS, StrictSigning: true, Assume: together}
	}
	return ways
}

// onOneKey is for a KMS where keys are dear: all that can be is checked on one.
func onOneKey(t *testing.T, wrappingKeys *localkms.WrappingKeys) {
	for name, tc := range map[string]struct {
		reason  string
		dialect localkms.Dialect
		assume  []localkms.Assumption
		alone   bool
		keys    int // that are made beside it
	}{
		"AWS":                           {reason: "what takes other keys makes them", dialect: "AWS", keys: 26},
		"AWS, no other":                 {reason: "a key that was given is enough", dialect: "AWS", alone: true},
		"QKMS":                          {reason: "a key that forgets its material", dialect: "QKMS", keys: 21},
		"QKMS, no other":                {reason: "a key that was given is enough", dialect: "QKMS", alone: true},
		"QKMS, MaterialStaysAssociated": {reason: "a key that forgets nothing", dialect: "QKMS", assume: []localkms.Assumption{"MaterialStaysAssociated"}, alone: true},
		"AWS, DisabledStaysDisabled":    {reason: "it has to be enabled between promises", dialect: "AWS", assume: []localkms.Assumption{"DisabledStaysDisabled"}, alone: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Log(tc.reason)
			harness := newHarness(t, localkms.Options{Dialect: tc.dialect, Assume: tc.assume, WrappingKeys: wrappingKeys})
			keyARN, err := harness.Keys.Create(t.Context(), kms.KeySpecSymmetricDefault, kms.OriginExternal)
			if err != nil {
				t.Fatal(err)
			}
			counted := &countedKeys{Keys: harness.Keys}
			harness.Key, harness.NoOtherKeys, harness.Keys = keyARN, tc.alone, counted
			kmstest.Contract(t, harness)
			if scope := kmstest.ScopeOf(harness); counted.made != tc.keys || scope.Keys != tc.keys {
				t.Errorf("%d keys are announced and %d made, want %d", scope.Keys, counted.made, tc.keys)
			}
		})
	}
}

type countedKeys struct {
	kmstest.Keys
	made int
}

func (k *countedKeys) Create(ctx context.Context, spec kms.KeySpec, origin kms.Origin) (string, error) {
	k.made++
	return k.Keys.Create(ctx, spec, origin)
}

// What is left out is so for a reason that can be read.
func TestContractLeavesNothingOut(t *testing.T) {
	hours := func(time.Duration) {}
	aws := kmstest.ScopeOf(kmstest.Harness{Dialect: kms.DialectAWS, Advance: hours})
	if len(aws.LeftOut) != 0 {
		t.Errorf("left out with everything at hand: %v", aws.LeftOut)
	}
	for name, tc := range map[string]struct {
		reason  string
		harness kmstest.Harness
		why     map[string]int
	}{
		"QKMS": {"what it does not have", kmstest.Harness{Dialect: kms.DialectQKMS, Advance: hours}, map[string]int{
			"QKMS has symmetric keys only": 5, "QKMS documents no IDs of material": 3, "its documentation names no limit": 1,
		}},
		"no clock": {"a real account's cannot be moved", kmstest.Harness{Dialect: kms.DialectAWS}, map[string]int{"it takes hours to see kept": 2}},
		"one key": {"nothing may be made", kmstest.Harness{Dialect: kms.DialectAWS, Advance: hours, Key: "arn", NoOtherKeys: true}, map[string]int{
			"it takes other keys than the one given, or would use that up": 15,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			scope, why := kmstest.ScopeOf(tc.harness), map[string]int{}
			for _, omission := range scope.LeftOut {
				why[omission.Reason]++
			}
			if diff := cmp.Diff(tc.why, why); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if len(scope.Checked)+len(scope.LeftOut) < len(aws.Checked)-4 { // QKMS has four wrappings less
				t.Errorf("%s: %d promises are neither checked nor left out", tc.reason, len(aws.Checked)-len(scope.Checked)-len(scope.LeftOut))
			}
		})
	}
}

// newHarness is an adapter on a local KMS whose clock stands still until it is moved.
func newHarness(t *testing.T, options localkms.Options) kmstest.Harness {
	t.Helper()
	ahead := &atomic.Int64{}
	now := func() time.Time { return newYear.Add(time.Duration(ahead.Load())) }
	advance := func(by time.Duration) { ahead.Add(int64(by)) }
	options.Now = now
	handler, err := localkms.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		_ = handler.Close()
	})
	service := func(secret string) *Service {
		return build(t, Config{
			Dialect: kms.Dialect(options.Dialect), Region: localkms.DefaultRegion, Endpoint: server.URL,
			Credentials: staticcredentials.NewStaticCredentialsProvider(localkms.DefaultAccessKeyID, secret, ""),
		})
	}
	own := service(localkms.DefaultSecretAccessKey)
	own.readTimeout = time.Minute // the first wrapping key of a length takes seconds, on a busy machine many
	return kmstest.Harness{
		Service: own, Stranger: service("another secret"), Dialect: kms.Dialect(options.Dialect), Keys: sdkKeys{own.client},
		Now: now, Advance: advance, Settle: func() { advance(options.Propagation.Delay) },
	}
}

// sdkKeys is the KMS's own API, by the client of the adapter: it signs, and reads dates, as the dialect wants it.
type sdkKeys struct {
	client *sdk.Client
}

func (k sdkKeys) Create(ctx context.Context, spec kms.KeySpec, origin kms.Origin) (string, error) {
	return k.create(ctx, spec, origin, "contract")
}

func (k sdkKeys) create(ctx context.Context, spec kms.KeySpec, origin kms.Origin, description string) (string, error) {
	input := &sdk.CreateKeyInput{Origin: types.OriginType(origin), Description: &description}
	if spec != kms.KeySpecSymmetricDefault {
		input.KeySpec, input.KeyUsage = types.KeySpec(spec), types.KeyUsageTypeGenerateVerifyMac
	}
	created, err := k.client.CreateKey(ctx, input)
	if err != nil {
		return "", err
	}
	return aws.ToString(created.KeyMetadata.Arn), nil
}

func (k sdkKeys) Enable(ctx context.Context, keyARN string) error {
	_, err := k.client.EnableKey(ctx, &sdk.EnableKeyInput{KeyId: &keyARN})
	return err
}

func (k sdkKeys) Disable(ctx context.Context, keyARN string) error {
	_, err := k.client.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &keyARN})
	return err
}

func (k sdkKeys) ScheduleDeletion(ctx context.Context, keyARN string) error {
	_, err := k.client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: &keyARN})
	return err
}

func (k sdkKeys) Encrypt(ctx context.Context, keyARN string, plaintext []byte) ([]byte, error) {
	answer, err := k.client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &keyARN, Plaintext: plaintext})
	if err != nil {
		return nil, err
	}
	return answer.CiphertextBlob, nil
}

func (k sdkKeys) Decrypt(ctx context.Context, keyARN string, ciphertext []byte) ([]byte, error) {
	answer, err := k.client.Decrypt(ctx, &sdk.DecryptInput{KeyId: &keyARN, CiphertextBlob: ciphertext})
	if err != nil {
		return nil, err
	}
	return answer.Plaintext, nil
}

func (k sdkKeys) MAC(ctx context.Context, keyARN string, message []byte) ([]byte, error) {
	answer, err := k.client.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: &keyARN, Message: message, MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
	if err != nil {
		return nil, err
	}
	return answer.Mac, nil
}
