//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// object is a request or an answer of KMS.
type object = map[string]any

// call makes one KMS call, with endpoint, Region and credentials of the environment. It speaks the protocol itself,
// because the SDK reads the dates of only one of the two dialects.
func call(ctx context.Context, operation string, request object) (object, error) {
	for _, name := range []string{"AWS_ENDPOINT_URL_KMS", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if os.Getenv(name) == "" {
			return nil, errors.New(name + " is not set: source bin/demo/env first")
		}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	signed, err := sign(ctx, operation, body)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(signed)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // read to its end or given up
	return read(response)
}

func sign(ctx context.Context, operation string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("AWS_ENDPOINT_URL_KMS"), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "TrentService."+operation)
	credentials := aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	digest := sha256.Sum256(body)
	// Without a length the signer signs just the four headers that QKMS documents.
	length := request.ContentLength
	request.ContentLength = 0
	err = v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(digest[:]), "kms", os.Getenv("AWS_REGION"), time.Now())
	request.ContentLength = length
	return request, err
}

// read returns the answer. Of an error, code and message are what matters to a reader.
func read(response *http.Response) (object, error) {
	answer := object{}
	err := json.NewDecoder(response.Body).Decode(&answer)
	switch {
	case errors.Is(err, io.EOF): // nothing at all is an answer too
	case err != nil:
		return nil, fmt.Errorf("%s: %w", response.Status, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%v: %v", answer["__type"], answer["message"])
	}
	return answer, nil
}

// text makes a call and returns one string of its answer.
func text(ctx context.Context, operation string, request object, path ...string) (string, error) {
	answer, err := call(ctx, operation, request)
	if err != nil {
		return "", err
	}
	at := any(answer)
	for _, name := range path {
		inner, _ := at.(object)
		at = inner[name]
	}
	found, ok := at.(string)
	if !ok {
		return "", fmt.Errorf("the answer to %s has no %s", operation, path[len(path)-1])
	}
	return found, nil
}

// blob is text in Base64.
func blob(ctx context.Context, operation string, request object, path ...string) ([]byte, error) {
	encoded, err := text(ctx, operation, request, path...)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(encoded)
}

func createKey(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	request := object{"Origin": "EXTERNAL"}
	if args[0] != "SYMMETRIC_DEFAULT" {
		request["KeySpec"], request["KeyUsage"] = args[0], "GENERATE_VERIFY_MAC"
	}
	arn, err := text(ctx, "CreateKey", request, "KeyMetadata", "Arn")
	return printed(out, arn, err)
}

func keyState(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	state, err := text(ctx, "DescribeKey", object{"KeyId": args[0]}, "KeyMetadata", "KeyState")
	return printed(out, state, err)
}

func deleteMaterial(ctx context.Context, args []string, _ io.Reader, _ io.Writer) error {
	_, err := call(ctx, "DeleteImportedKeyMaterial", object{"KeyId": args[0]})
	return err
}

func encrypt(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	ciphertext, err := text(ctx, "Encrypt", object{"KeyId": args[0], "Plaintext": []byte(args[1])}, "CiphertextBlob")
	return printed(out, ciphertext, err)
}

func decrypt(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	ciphertext, err := readBase64(in)
	if err != nil {
		return err
	}
	plaintext, err := blob(ctx, "Decrypt", object{"KeyId": args[0], "CiphertextBlob": ciphertext}, "Plaintext")
	return printed(out, string(plaintext), err)
}

func kmsMAC(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	mac, err := blob(ctx, "GenerateMac", object{"KeyId": args[0], "Message": []byte(args[1]), "MacAlgorithm": "HMAC_SHA_256"}, "Mac")
	return printed(out, hex.EncodeToString(mac), err)
}

func printed(out io.Writer, line string, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, line)
	return err
}
