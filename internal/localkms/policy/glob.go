package policy

// glob is a pattern in which * stands for any characters, none included, and ? for exactly one. What no other
// notation does, and no library of path patterns: * runs over every character, the slash and the colon too.
type glob []rune

func newGlob(pattern string) glob { return glob(pattern) }

// match takes at most len(pattern) * len(value) steps: of several stars only the last is ever taken back.
func (g glob) match(text string) bool {
	value := []rune(text)
	p, v := 0, 0
	star, resume := -1, 0
	for v < len(value) {
		switch {
		case p < len(g) && g[p] == '*':
			star, resume = p, v
			p++
		case p < len(g) && (g[p] == '?' || g[p] == value[v]):
			p, v = p+1, v+1
		case star >= 0:
			resume++
			p, v = star+1, resume
		default:
			return false
		}
	}
	for p < len(g) && g[p] == '*' {
		p++
	}
	return p == len(g)
}
