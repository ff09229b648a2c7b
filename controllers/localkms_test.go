package controllers_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// localKMS is a local KMS that listens.
type localKMS struct {
	dialect kms.Dialect
	url     string
	admin   *awskmssdk.Client // of somebody who makes keys and uses them
	faults  *localkms.Faults
}

// startLocalKMS starts one until the end of the container, with the clock of the specs.
func startLocalKMS(options localkms.Options) *localKMS {
	GinkgoHelper()
	started := &localKMS{dialect: kms.Dialect(options.Dialect), faults: localkms.NewFaults()}
	options.Now, options.Faults = now.Now, started.faults
	server, err := localkms.New(options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Close)
	listener := httptest.NewServer(server)
	DeferCleanup(listener.Close)
	started.url = listener.URL
	started.admin = awskmssdk.New(awskmssdk.Options{
		Region:       region,
		BaseEndpoint: aws.String(started.url),
		Credentials:  localCredentials(),
	}, started.speak)
	return started
}

func localCredentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(localkms.DefaultAccessKeyID, localkms.DefaultSecretAccessKey, "")
}

// speak teaches the SDK the dialect, apart from the operator's code: by its signatures, and by the dates in answers.
func (l *localKMS) speak(options *awskmssdk.Options) {
	if l.dialect != kms.DialectQKMS {
		return
	}
	options.HTTPSignerV4 = fourHeaders{v4.NewSigner()}
	options.HTTPClient = datesAsNumbers{http.DefaultClient}
}

// fourHeaders signs no more than QKMS documents.
type fourHeaders struct{ *v4.Signer }

// SignHTTP implements the SDK's HTTPSignerV4.
func (f fourHeaders) SignHTTP(
	ctx context.Context, with aws.Credentials, request *http.Request, hash, service, region string, at time.Time, options ...func(*v4.SignerOptions),
) error {
	length := request.ContentLength
	request.ContentLength = 0 // a length would be signed
	request.Header = http.Header{"Content-Type": request.Header["Content-Type"], "X-Amz-Target": request.Header["X-Amz-Target"]}
	err := f.Signer.SignHTTP(ctx, with, request, hash, service, region, at, options...)
	request.ContentLength = length
	return err
}

var isoDate = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*"`)

// datesAsNumbers puts seconds since the epoch in the place of the dates that QKMS answers with.
type datesAsNumbers struct{ next *http.Client }

// Do implements the SDK's HTTPClient.
func (d datesAsNumbers) Do(request *http.Request) (*http.Response, error) {
	response, err := d.next.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	body = isoDate.ReplaceAllFunc(body, func(text []byte) []byte {
		date, err := time.Parse(`"`+time.RFC3339+`"`, string(text))
		if err != nil {
			return text
		}
		return strconv.AppendInt(nil, date.Unix(), 10)
	})
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}
