package policy_test

import (
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/policy"
)

// TestConditions asks one condition about one context.
func TestConditions(t *testing.T) {
	context := map[string]string{
		"kms:WrappingAlgorithm": "RSAES_OAEP_SHA_256",
		"kms:ExpirationModel":   "KEY_MATERIAL_EXPIRES",
		"kms:ValidTo":           "1546257599", // 2018-12-31T11:59:59Z
		"kms:KeyOrigin":         "EXTERNAL",
		"kms:Empty":             "",
		"kms:Repeats":           "aaab",
		"kms:Binary":            "QmluYXJ5VmFsdWVJbkJhc2U2NA==",
		"kms:MultiRegion":       "false",
		"aws:PrincipalArn":      role,
		"aws:SourceIp":          "203.0.113.7",
		"aws:CurrentTime":       "2018-12-31T12:59:59.5+01:00",
	}
	for name, c := range map[string]struct {
		reason    string
		condition string
		want      bool
	}{
		"StringEquals":               {reason: "equal", condition: `{"StringEquals":{"kms:KeyOrigin":"EXTERNAL"}}`, want: true},
		"StringEquals, case":         {reason: "case-sensitive", condition: `{"StringEquals":{"kms:KeyOrigin":"External"}}`},
		"StringEquals, star":         {reason: "takes no wildcard", condition: `{"StringEquals":{"kms:KeyOrigin":"EXT*"}}`},
		"StringEquals, one of":       {reason: "values are alternatives", condition: `{"StringEquals":{"kms:KeyOrigin":["AWS_KMS","EXTERNAL"]}}`, want: true},
		"StringNotEquals":            {reason: "negated", condition: `{"StringNotEquals":{"kms:WrappingAlgorithm":"RSAES_OAEP_SHA_1"}}`, want: true},
		"StringNotEquals, equal":     {reason: "negated", condition: `{"StringNotEquals":{"kms:WrappingAlgorithm":"RSAES_OAEP_SHA_256"}}`},
		"StringNotEquals, one of":    {reason: "all are excluded", condition: `{"StringNotEquals":{"kms:WrappingAlgorithm":["RSAES_OAEP_SHA_1","RSAES_OAEP_SHA_256"]}}`},
		"IgnoreCase":                 {reason: "case ignored", condition: `{"StringEqualsIgnoreCase":{"kms:KeyOrigin":"external"}}`, want: true},
		"NotEqualsIgnoreCase":        {reason: "case ignored, negated", condition: `{"StringNotEqualsIgnoreCase":{"kms:KeyOrigin":"external"}}`},
		"StringLike":                 {reason: "wildcards", condition: `{"StringLike":{"kms:WrappingAlgorithm":"RSAES_*_SHA_???"}}`, want: true},
		"StringLike, case":           {reason: "case-sensitive", condition: `{"StringLike":{"kms:WrappingAlgorithm":"rsaes_*"}}`},
		"StringLike, part":           {reason: "the whole value", condition: `{"StringLike":{"kms:WrappingAlgorithm":"OAEP"}}`},
		"StringLike, backtracking":   {reason: "the first underscore is not the one", condition: `{"StringLike":{"kms:WrappingAlgorithm":"*S*_?56"}}`, want: true},
		"StringLike, too few":        {reason: "no underscore but the last fits", condition: `{"StringLike":{"kms:WrappingAlgorithm":"*S*_?56?"}}`},
		"StringLike, overlapping":    {reason: "a failed start is not skipped over", condition: `{"StringLike":{"kms:Repeats":"*aab"}}`, want: true},
		"StringLike, several stars":  {reason: "each as long as it must be", condition: `{"StringLike":{"kms:WrappingAlgorithm":"*A*S*_*5?"}}`, want: true},
		"StringLike over a slash":    {reason: "not a path", condition: `{"StringLike":{"aws:PrincipalArn":"arn:*importer"}}`, want: true},
		"StringNotLike":              {reason: "negated", condition: `{"StringNotLike":{"kms:WrappingAlgorithm":"*_SHA_1"}}`, want: true},
		"StringNotLike, like":        {reason: "negated", condition: `{"StringNotLike":{"kms:WrappingAlgorithm":"*_SHA_2*"}}`},
		"key's case":                 {reason: "keys are case-insensitive", condition: `{"StringEquals":{"KMS:keyorigin":"EXTERNAL"}}`, want: true},
		"NumericEquals":              {reason: "as numbers", condition: `{"NumericEquals":{"kms:ValidTo":"1546257599.0"}}`, want: true},
		"NumericNotEquals":           {reason: "negated", condition: `{"NumericNotEquals":{"kms:ValidTo":1546257599}}`},
		"NumericNotEquals, none":     {reason: "what is no number equals none", condition: `{"NumericNotEquals":{"kms:KeyOrigin":1}}`, want: true},
		"NumericLessThan":            {reason: "not equal", condition: `{"NumericLessThan":{"kms:ValidTo":"1546257599.0"}}`},
		"NumericLessThan, more":      {reason: "as numbers, not as texts", condition: `{"NumericLessThan":{"kms:ValidTo":"15462575990"}}`, want: true},
		"NumericLessThanEquals":      {reason: "AWS's example", condition: `{"NumericLessThanEquals":{"kms:ValidTo":"1546257599.0"}}`, want: true},
		"NumericLessThanEquals, no":  {reason: "a second less", condition: `{"NumericLessThanEquals":{"kms:ValidTo":"1546257598.9"}}`},
		"NumericGreaterThan":         {reason: "not equal", condition: `{"NumericGreaterThan":{"kms:ValidTo":"1546257599"}}`},
		"NumericGreaterThan, less":   {reason: "greater", condition: `{"NumericGreaterThan":{"kms:ValidTo":"-1.5e3"}}`, want: true},
		"NumericGreaterThanEquals":   {reason: "equal", condition: `{"NumericGreaterThanEquals":{"kms:ValidTo":"1546257599"}}`, want: true},
		"Numeric of a word":          {reason: "a value that is no number matches nothing", condition: `{"NumericGreaterThanEquals":{"kms:KeyOrigin":"0"}}`},
		"DateEquals":                 {reason: "both notations of one time", condition: `{"DateEquals":{"kms:ValidTo":"2018-12-31T11:59:59Z"}}`, want: true},
		"DateEquals, epoch":          {reason: "epoch seconds", condition: `{"DateEquals":{"kms:ValidTo":1546257599.0}}`, want: true},
		"DateEquals, zone":           {reason: "a time zone", condition: `{"DateEquals":{"kms:ValidTo":"2018-12-31T12:59:59+01:00"}}`, want: true},
		"DateEquals, fraction":       {reason: "the request in ISO 8601, the policy not", condition: `{"DateEquals":{"aws:CurrentTime":"1546257599.5"}}`, want: true},
		"DateNotEquals":              {reason: "negated", condition: `{"DateNotEquals":{"kms:ValidTo":"2018-12-31T11:59:59Z"}}`},
		"DateLessThan":               {reason: "the next minute", condition: `{"DateLessThan":{"kms:ValidTo":"2018-12-31T12:00Z"}}`, want: true},
		"DateLessThan, equal":        {reason: "not equal", condition: `{"DateLessThan":{"kms:ValidTo":"2018-12-31T11:59:59Z"}}`},
		"DateLessThanEquals":         {reason: "equal", condition: `{"DateLessThanEquals":{"kms:ValidTo":"20181231T115959Z"}}`, want: true},
		"DateGreaterThan":            {reason: "the day began before", condition: `{"DateGreaterThan":{"kms:ValidTo":"2018-12-31"}}`, want: true},
		"DateGreaterThan, month":     {reason: "the month began before", condition: `{"DateGreaterThan":{"kms:ValidTo":"2018-12"}}`, want: true},
		"DateGreaterThanEquals":      {reason: "the next day", condition: `{"DateGreaterThanEquals":{"kms:ValidTo":"2019-01-01"}}`},
		"Date of a word":             {reason: "no date matches nothing", condition: `{"DateGreaterThan":{"kms:KeyOrigin":"0"}}`},
		"Bool":                       {reason: "equal", condition: `{"Bool":{"kms:MultiRegion":false}}`, want: true},
		"Bool, other":                {reason: "unequal", condition: `{"Bool":{"kms:MultiRegion":"true"}}`},
		"Bool of a word":             {reason: "neither true nor false", condition: `{"Bool":{"kms:KeyOrigin":["true","false"]}}`},
		"BinaryEquals":               {reason: "the same bytes", condition: `{"BinaryEquals":{"kms:Binary":"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}`, want: true},
		"BinaryEquals, other":        {reason: "other bytes", condition: `{"BinaryEquals":{"kms:Binary":"QUFB"}}`},
		"BinaryEquals of a word":     {reason: "no base64", condition: `{"BinaryEquals":{"aws:SourceIp":""}}`},
		"IpAddress, range":           {reason: "within", condition: `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.0/24"]}}`, want: true},
		"IpAddress, single":          {reason: "/32 by default", condition: `{"IpAddress":{"aws:SourceIp":"203.0.113.8"}}`},
		"IpAddress, version 6":       {reason: "another family", condition: `{"IpAddress":{"aws:SourceIp":"::/0"}}`},
		"NotIpAddress":               {reason: "negated", condition: `{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`},
		"ArnEquals":                  {reason: "equal", condition: `{"ArnEquals":{"aws:PrincipalArn":"` + role + `"}}`, want: true},
		"ArnEquals, wildcards":       {reason: "the same as ArnLike", condition: `{"ArnEquals":{"aws:PrincipalArn":"arn:*:iam::1111*:role/*/import??"}}`, want: true},
		"ArnLike, over a colon":      {reason: "a wildcard stays in its part", condition: `{"ArnLike":{"aws:PrincipalArn":"arn:*:iam:*:x:*"}}`},
		"ArnLike of a word":          {reason: "no ARN", condition: `{"ArnLike":{"kms:KeyOrigin":"arn:*:*:*:*:*"}}`},
		"ArnNotEquals":               {reason: "AWS's way to except one principal", condition: `{"ArnNotEquals":{"aws:PrincipalArn":"` + alice + `"}}`, want: true},
		"ArnNotLike":                 {reason: "negated", condition: `{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}}`},
		"Null, true of present":      {reason: "it is there", condition: `{"Null":{"kms:ValidTo":"true"}}`},
		"Null, false of present":     {reason: "it is there", condition: `{"Null":{"kms:ValidTo":false}}`, want: true},
		"Null, true of absent":       {reason: "it is not", condition: `{"Null":{"aws:TokenIssueTime":true}}`, want: true},
		"Null, false of absent":      {reason: "it is not", condition: `{"Null":{"aws:TokenIssueTime":"false"}}`},
		"Null, either":               {reason: "values are alternatives", condition: `{"Null":{"aws:TokenIssueTime":["false","true"]}}`, want: true},
		"absent":                     {reason: "does not match", condition: `{"StringEquals":{"aws:username":"alice"}}`},
		"absent, number":             {reason: "does not match", condition: `{"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}`},
		"absent, negated":            {reason: "does not match, which is asked for", condition: `{"StringNotEquals":{"aws:username":"alice"}}`, want: true},
		"absent, ARN negated":        {reason: "the same", condition: `{"ArnNotLike":{"aws:SourceArn":"arn:aws:sns:*:*:*"}}`, want: true},
		"absent, IfExists":           {reason: "true", condition: `{"StringEqualsIfExists":{"aws:username":"alice"}}`, want: true},
		"absent, not IfExists":       {reason: "true", condition: `{"StringNotLikeIfExists":{"aws:username":"alice"}}`, want: true},
		"present, IfExists":          {reason: "as without it", condition: `{"NumericLessThanIfExists":{"kms:ValidTo":"5"}}`},
		"present, IfExists matches":  {reason: "as without it", condition: `{"DateLessThanIfExists":{"kms:ValidTo":"2019-01-01"}}`, want: true},
		"ForAllValues":               {reason: "the one value matches", condition: `{"ForAllValues:StringEquals":{"kms:KeyOrigin":["AWS_KMS","EXTERNAL"]}}`, want: true},
		"ForAllValues, other":        {reason: "the one value does not", condition: `{"ForAllValues:StringEquals":{"kms:KeyOrigin":"AWS_KMS"}}`},
		"ForAllValues, absent":       {reason: "true of the empty set", condition: `{"ForAllValues:StringEquals":{"aws:TagKeys":"x"}}`, want: true},
		"ForAllValues, empty":        {reason: "an empty value is the empty set", condition: `{"ForAllValues:StringEquals":{"kms:Empty":"x"}}`, want: true},
		"ForAllValues, not":          {reason: "none matches", condition: `{"ForAllValues:StringNotLike":{"kms:KeyOrigin":"AWS_*"}}`, want: true},
		"ForAnyValue":                {reason: "one matches", condition: `{"ForAnyValue:StringLike":{"kms:KeyOrigin":"EXT*"}}`, want: true},
		"ForAnyValue, other":         {reason: "none matches", condition: `{"ForAnyValue:StringLike":{"kms:KeyOrigin":"AWS*"}}`},
		"ForAnyValue, absent":        {reason: "false of the empty set", condition: `{"ForAnyValue:StringEquals":{"aws:TagKeys":"x"}}`},
		"ForAnyValue, empty":         {reason: "an empty value is the empty set", condition: `{"ForAnyValue:StringNotEquals":{"kms:Empty":"x"}}`},
		"ForAnyValue, absent, not":   {reason: "false of the empty set, negated or not", condition: `{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"x"}}`},
		"ForAnyValue, IfExists":      {reason: "the set decides first", condition: `{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"x"}}`},
		"ForAllValues, IfExists":     {reason: "true either way", condition: `{"ForAllValues:StringEqualsIfExists":{"aws:TagKeys":"x"}}`, want: true},
		"ForAnyValue, IfExists, has": {reason: "as without them", condition: `{"ForAnyValue:StringEqualsIfExists":{"kms:KeyOrigin":"EXTERNAL"}}`, want: true},
		"empty value":                {reason: "a value like others without a set operator", condition: `{"StringEquals":{"kms:Empty":""}}`, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			text := withStatements(allowing(`"Condition":` + c.condition))
			got := mustParse(t, text).Evaluate(policy.Request{Principal: alice, Action: "kms:ImportKeyMaterial", Resource: key, Context: context})
			if (got == policy.Allowed) != c.want {
				t.Errorf("%v, want %t: %s", got, c.want, c.reason)
			}
		})
	}
}

// TestFoldedContext shows that the caller may spell its keys as it likes.
func TestFoldedContext(t *testing.T) {
	document := mustParse(t, withStatements(allowing(`"Condition":{"StringEquals":{"kms:KeyOrigin":"EXTERNAL"}}`)))
	got := document.Evaluate(policy.Request{Principal: alice, Action: "kms:Decrypt", Resource: key, Context: map[string]string{"KMS:KEYORIGIN": "EXTERNAL"}})
	if got != policy.Allowed {
		t.Errorf("%v", got)
	}
}
