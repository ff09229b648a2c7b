package simulation_test

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// weather is what is wrong for everybody.
type weather struct {
	kmsError *kms.Error // what most calls of KMS come to
	apiDown  bool
	skewed   bool // the operator's clock is not that of KMS
}

func (w weather) bad() bool { return w.kmsError != nil || w.apiDown || w.skewed }

// failure is what becomes of a call. Who is throttled gets through at times.
func (w weather) failure(s *simulation) *kms.Error {
	if w.kmsError == nil || w.kmsError.Class == kms.ClassThrottled && s.happens(0.2) {
		return nil
	}
	failure := *w.kmsError
	return &failure
}

// turn changes the weather, for everybody at one moment.
func (s *simulation) turn(what string, change func(*weather)) {
	usable := map[*life]bool{}
	for _, l := range s.lives {
		l.account()
		usable[l] = l.usable()
	}
	change(&s.weather)
	s.counts.weather[what]++
	for _, l := range s.lives {
		if s.weather.skewed {
			l.cause("clocks that differ")
		}
		l.calm = s.timeline.elapsed
		l.deletionDisturbed()
		l.refresh()
		if usable[l] && !l.usable() {
			l.cause("its expiry, as the clock was set")
		}
		l.account()
	}
}

// spell is weather that lasts.
func (s *simulation) spell() {
	lasts := s.between(time.Minute, 2*time.Hour)
	switch s.random.IntN(20) {
	case 0:
		lasts = s.between(36*time.Hour, 60*time.Hour) // longer than failed looks are tolerated
	case 1, 2, 3:
		lasts = s.between(2*time.Hour, 12*time.Hour)
	}
	switch kind := s.random.IntN(len(s.failures()) + 1); {
	case s.weather.kmsError != nil || s.weather.apiDown:
		return
	case kind == len(s.failures()):
		s.turn("API server down", func(w *weather) { w.apiDown = true })
	default:
		failure := s.failures()[kind]
		s.turn(string(failure.Class), func(w *weather) { w.kmsError = failure })
	}
	s.timeline.after(lasts, s.clearUp)
}

func (s *simulation) clearUp() {
	if s.weather.apiDown {
		s.apiUp = s.timeline.elapsed
	}
	s.turn("clear", func(w *weather) { w.kmsError, w.apiDown = nil, false })
}

// stepClock sets the clock a day ahead or back, and after a while right again: of everybody, or of the operator alone.
func (s *simulation) stepClock() {
	if s.clock.offset != 0 || s.kmsClock.offset != 0 {
		return
	}
	by := day
	if s.random.IntN(2) == 0 {
		by = -day
	}
	alone := s.random.IntN(3) == 0
	s.setClocks("clock stepped", by, alone)
	s.timeline.after(s.between(time.Hour, 72*time.Hour), s.setClocksRight)
}

func (s *simulation) setClocksRight() { s.setClocks("clock set right", 0, false) }

func (s *simulation) setClocks(what string, offset time.Duration, alone bool) {
	s.turn(what, func(w *weather) {
		s.clock.offset = offset
		if !alone {
			s.kmsClock.offset = offset
		}
		w.skewed = alone
	})
	s.lastStep = s.timeline.elapsed
}
