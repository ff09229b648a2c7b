//go:build conformance

package awskms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	staticcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"golang.org/x/time/rate"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const (
	keyDescription = "conformance test of the kms-key-import-operator, may be deleted"
	deletionDays   = 7 // the shortest that there is
)

// account is somebody's account with a KMS.
type account struct {
	dialect           kms.Dialect
	service, stranger *Service
	credentialsSource string
	keys              *accountKeys
	// cleaner works on when the run was interrupted.
	cleaner                     sdkKeys
	settle                      time.Duration
	interrupted                 context.Context
	requests, parameters, waits atomic.Int64
}

func openAccount(t *testing.T) *account {
	t.Helper()
	a := &account{dialect: kms.Dialect(*askedDialect), settle: *askedSettle}
	if a.dialect != kms.DialectAWS && a.dialect != kms.DialectQKMS {
		t.Fatalf("DIALECT is %q, which is neither AWS nor QKMS", a.dialect)
	}
	configuration := Config{Dialect: a.dialect, Region: *askedRegion, Endpoint: *askedEndpoint}
	own, err := New(t.Context(), configuration)
	if errors.Is(err, ErrNoRegion) {
		t.Fatalf("%v: say REGION=, or set AWS_REGION", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	found, err := own.client.Options().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatalf("no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE: %v", err)
	}
	a.credentialsSource = found.Source
	configuration.Region = own.client.Options().Region
	configuration.Credentials = staticcredentials.NewStaticCredentialsProvider(found.AccessKeyID, "not the secret", found.SessionToken)
	if a.stranger, err = New(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	a.watch(t)
	a.cleaner = sdkKeys{sdk.New(own.client.Options(), patient)}
	a.service = own
	a.service.client = sdk.New(own.client.Options(), patient, a.stoppable)
	a.service.readTimeout = time.Minute // some make a wrapping key when one is asked for
	a.stranger.client = sdk.New(a.stranger.client.Options(), a.stoppable)
	a.keys = &accountKeys{sdkKeys: sdkKeys{a.service.client}}
	if a.settle < 0 {
		a.settle = 5 * time.Second
		if a.isLoopback() {
			a.settle = 0
		}
	}
	return a
}

// watch has the first Ctrl-C end the run and the second one the process.
func (a *account) watch(t *testing.T) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	a.interrupted = ctx
	told := context.AfterFunc(ctx, func() {
		stop()
		fmt.Println("conformance: interrupted. Keys are cleaned up; once more, and they stay as they are.")
	})
	t.Cleanup(func() {
		told()
		stop()
	})
}

func (a *account) isLoopback() bool {
	endpoint, err := url.Parse(a.endpoint())
	return err == nil && isLoopback(endpoint.Hostname())
}

// wait is until a change shows everywhere, as far as one can tell.
func (a *account) wait() {
	a.waits.Add(1)
	select {
	case <-time.After(a.settle):
	case <-a.interrupted.Done():
	}
}

func (a *account) parametersRate() *rate.Limiter {
	if a.isLoopback() {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(1, 1)
}

// leave cleans up, and says what it could not clean up.
func (a *account) leave(t *testing.T, given bool, keyARN string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if given {
		a.empty(ctx, t, keyARN)
		return
	}
	for _, made := range a.keys.made {
		if a.keys.isScheduled(made) {
			continue
		}
		if err := scheduleDeletion(ctx, a.cleaner, made); err != nil {
			t.Errorf("LEFT BEHIND: %s is not scheduled for deletion, which is left to you: %v", made, err)
		}
	}
	fmt.Printf("conformance: %d keys were created, and what is not said to be LEFT BEHIND is scheduled for deletion in %d days\n", len(a.keys.made), deletionDays)
}

// empty deletes the material that the run has imported.
func (a *account) empty(ctx context.Context, t *testing.T, keyARN string) {
	if _, err := a.cleaner.client.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &keyARN}); err != nil {
		described, lookErr := a.cleaner.client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &keyARN})
		if lookErr != nil || described.KeyMetadata == nil || described.KeyMetadata.KeyState != types.KeyStatePendingImport {
			t.Errorf("LEFT BEHIND: %s may hold material made at random: %v", keyARN, err)
			return
		}
	}
	fmt.Printf("conformance: %s is empty again, and used up: deleting it is left to you\n", keyARN)
}

// accountKeys remembers what is to be cleaned up.
type accountKeys struct {
	sdkKeys
	made, scheduled []string
}

// Create implements kmstest.Keys. It makes one attempt, since a second might make a second key.
func (k *accountKeys) Create(ctx context.Context, spec kms.KeySpec, origin kms.Origin) (string, error) {
	keyARN, err := k.create(ctx, spec, origin, keyDescription)
	if err == nil {
		k.made = append(k.made, keyARN)
	}
	return keyARN, err
}

// ScheduleDeletion implements kmstest.Keys.
func (k *accountKeys) ScheduleDeletion(ctx context.Context, keyARN string) error {
	err := scheduleDeletion(ctx, k.sdkKeys, keyARN)
	if err == nil {
		k.scheduled = append(k.scheduled, keyARN)
	}
	return err
}

func (k *accountKeys) isScheduled(keyARN string) bool { return slices.Contains(k.scheduled, keyARN) }

func scheduleDeletion(ctx context.Context, keys sdkKeys, keyARN string) error {
	_, err := keys.client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: &keyARN, PendingWindowInDays: aws.Int32(deletionDays)})
	return err
}

// paced keeps to the quota of GetParametersForImport.
type paced struct {
	kms.Service
	limiter *rate.Limiter
}

// GetParametersForImport implements kms.Service.
func (p paced) GetParametersForImport(ctx context.Context, keyARN string, wrapping kms.Wrapping) (kms.ImportParameters, error) {
	_ = p.limiter.Wait(ctx) // where the context ends, the call says so
	return p.Service.GetParametersForImport(ctx, keyARN, wrapping)
}

// patient waits where requests are throttled, which means that they were not carried out, and repeats nothing else.
func patient(o *sdk.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = 6, 3*time.Second
		o.Retryables = []retry.IsErrorRetryable{retry.RetryableErrorCode{Codes: map[string]struct{}{
			"ThrottlingException": {}, "Throttling": {}, "TooManyRequestsException": {},
		}}}
	})
}

var errInterrupted = errors.New("the run was interrupted")

// stoppable sends nothing once the run was interrupted, and counts.
func (a *account) stoppable(o *sdk.Options) { o.HTTPClient = countingClient{o.HTTPClient, a} }

type countingClient struct {
	next    sdk.HTTPClient
	account *account
}

// Do implements the SDK's HTTPClient.
func (c countingClient) Do(request *http.Request) (*http.Response, error) {
	if c.account.interrupted.Err() != nil {
		return nil, errInterrupted
	}
	c.account.requests.Add(1)
	if request.Header.Get("X-Amz-Target") == "TrentService."+getParametersForImport {
		c.account.parameters.Add(1)
	}
	return c.next.Do(request)
}
