//go:build unix

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

// connect takes endpoint, region and credentials from the environment (AWS_ENDPOINT_URL_KMS and so on), as every
// other program that uses the AWS SDK does.
func connect(ctx context.Context) (*kms.Client, error) {
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	if loaded.Region == "" {
		return nil, errors.New("AWS_REGION is not set: source bin/demo/env first")
	}
	return kms.NewFromConfig(loaded), nil
}

// call makes one KMS call. Of an error that KMS answers, code and message are what matters to a reader.
func call[In, Out any](ctx context.Context, operation func(*kms.Client, context.Context, *In, ...func(*kms.Options)) (*Out, error), in *In) (*Out, error) {
	client, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := operation(client, ctx, in)
	if refused := smithy.APIError(nil); errors.As(err, &refused) {
		return nil, fmt.Errorf("%s: %s", refused.ErrorCode(), refused.ErrorMessage())
	}
	return answer, err
}

func createKey(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	request := &kms.CreateKeyInput{Origin: types.OriginTypeExternal, KeySpec: types.KeySpec(args[0])}
	if request.KeySpec == types.KeySpecHmac256 {
		request.KeyUsage = types.KeyUsageTypeGenerateVerifyMac
	}
	answer, err := call(ctx, (*kms.Client).CreateKey, request)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, *answer.KeyMetadata.Arn)
	return err
}

func keyState(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	answer, err := call(ctx, (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: &args[0]})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, answer.KeyMetadata.KeyState)
	return err
}

func deleteMaterial(ctx context.Context, args []string, _ io.Reader, _ io.Writer) error {
	_, err := call(ctx, (*kms.Client).DeleteImportedKeyMaterial, &kms.DeleteImportedKeyMaterialInput{KeyId: &args[0]})
	return err
}

func encrypt(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	answer, err := call(ctx, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: &args[0], Plaintext: []byte(args[1])})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, base64.StdEncoding.EncodeToString(answer.CiphertextBlob))
	return err
}

func decrypt(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	ciphertext, err := readBase64(in)
	if err != nil {
		return err
	}
	answer, err := call(ctx, (*kms.Client).Decrypt, &kms.DecryptInput{KeyId: &args[0], CiphertextBlob: ciphertext})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", answer.Plaintext)
	return err
}

func kmsMAC(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	answer, err := call(ctx, (*kms.Client).GenerateMac, &kms.GenerateMacInput{
		KeyId: &args[0], Message: []byte(args[1]), MacAlgorithm: types.MacAlgorithmSpecHmacSha256,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%x\n", answer.Mac)
	return err
}
