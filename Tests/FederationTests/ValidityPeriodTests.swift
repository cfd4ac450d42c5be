import Federation
import Testing

/// When a notice says that a certificate ends.
@Suite struct ValidityPeriodTests {
    static let day = 86_400
    let start = Timestamp(milliseconds: 1_700_000_000_000)
    var term: ValidityPeriod { ValidityPeriod(notBefore: start, notAfter: start.adding(seconds: 100 * Self.day)) }

    @Test func aCertificateIsSpokenOfThirtySevenAndOneDayBeforeItsEnd() {
        func standing(_ seconds: Int) -> ValidityPeriod.Standing { term.standing(at: start.adding(seconds: seconds)) }
        #expect(standing(69 * Self.day) == .valid)
        #expect(standing(70 * Self.day) == .endsWithin(days: 30))
        #expect(standing(92 * Self.day) == .endsWithin(days: 30))
        #expect(standing(93 * Self.day) == .endsWithin(days: 7))
        #expect(standing(99 * Self.day) == .endsWithin(days: 1))
        #expect(standing(100 * Self.day) == .endsWithin(days: 1))
        #expect(standing(100 * Self.day + 1) == .ended)
        #expect(term.standing(at: Timestamp(milliseconds: start.milliseconds - 1)) == .notYetValid)
    }

    @Test func whatIsSaidNamesTheDatesAndTheClock() {
        #expect(term.notice(at: start) == nil)
        #expect(term.notice(at: start.adding(seconds: 94 * Self.day)) == "ends in 6 days, at 2024-02-22T22:13:20Z")
        #expect(
            term.notice(at: start.adding(seconds: 99 * Self.day + 3600 * 23))
                == "ends in 1 hour, at 2024-02-22T22:13:20Z"
        )
        #expect(
            term.notice(at: start.adding(seconds: 101 * Self.day))
                == "ended at 2024-02-22T22:13:20Z; the clock here says 2024-02-23T22:13:20Z"
        )
        #expect(
            term.notice(at: Timestamp(milliseconds: 0))
                == "is not valid before 2023-11-14T22:13:20Z; the clock here says 1970-01-01T00:00:00Z"
        )
    }

    @Test func eachThresholdIsSaidOnceAndAgainForARenewedCertificate() {
        var reminder = CertificateReminder()
        func said(_ days: Int, _ term: ValidityPeriod) -> Int {
            reminder.due([ExpiryNotice("it", term)], at: start.adding(seconds: days * Self.day)).count
        }
        #expect((0...69).reduce(0) { $0 + said($1, term) } == 0)
        #expect((70...100).reduce(0) { $0 + said($1, term) } == 3)
        #expect(said(101, term) == 1 && said(102, term) == 0)
        #expect(said(102, ValidityPeriod(notBefore: start, notAfter: start.adding(seconds: 103 * Self.day))) == 1)
        #expect(said(102, ValidityPeriod(notBefore: start, notAfter: start.adding(seconds: 500 * Self.day))) == 0)
        // At the start, regardless of earlier notices.
        var another = CertificateReminder()
        #expect(another.due([ExpiryNotice("it", term)], at: start.adding(seconds: 95 * Self.day)).count == 1)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (1_709_251_199, "2024-02-29T23:59:59Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ])
    func timesReadAsUTC(seconds: UInt64, text: String) {
        #expect(Timestamp(milliseconds: seconds * 1000).text == text)
    }
}
