import Settings
import Federation
import Testing

/// Identifiers, plans and the scale of the integer ring.
@Suite struct ValueTests {
    @Test func namesThatCouldLeaveTheirDirectoryAreRefused() {
        for text in ["", ".", "..", "a/b", "a b", "ä", "a\0", String(repeating: "x", count: 65)] {
            #expect(ModelName(text) == nil, "\(text)")
        }
        for text in ["FY2026", "a.b_c-d", String(repeating: "x", count: 64)] { #expect(ModelName(text)?.text == text) }
    }

    @Test func sitesAreMemberAndSite() {
        #expect(SiteID("acme/osaka")?.description == "acme/osaka")
        for text in ["acme", "acme/", "/osaka", "a/b/c", "a/.."] { #expect(SiteID(text) == nil) }
    }

    @Test func digestsReadTheirOwnHexadecimal() {
        let digest = Digest((0..<32).map { UInt8($0 * 7) })!
        #expect(Digest(hex: digest.hex) == digest)
        #expect(Digest(hex: digest.hex.uppercased()) == digest)
        #expect(Digest(hex: String(digest.hex.dropLast())) == nil)
        #expect(Digest(hex: "g" + digest.hex.dropFirst()) == nil)
    }

    @Test func aSoundPlanHasNoProblems() { #expect(Samples.plan().problems == []) }

    @Test func everyProblemOfAPlanIsNamedAtOnce() {
        var plan = Samples.plan()
        plan.sites = []
        plan.rounds = 0
        plan.bounds.norm = 1e-10
        plan.training.learningRate = -1
        plan.strategy = .fedAvgM(learningRate: 1, momentum: 1)
        let keys = Set(plan.problems.map(\.key))
        #expect(
            keys.isSuperset(of: [
                "sites", "rounds", "quorum", "bounds.norm", "training.learning_rate", "strategy.momentum",
            ])
        )
    }

    @Test func problemsOfAPlanSayWhatIsExpected() {
        var plan = Samples.plan()
        plan.rounds = 0
        plan.quorum = 0
        plan.bounds.weight = 0
        plan.training.batch = 0
        plan.training.localSteps = 0
        plan.training.weightDecay = 1
        plan.training.lora = LoRA(rank: 0, alpha: 0, targets: [])
        plan.compression = .topK(fraction: 1)
        plan.strategy = .nesterov(learningRate: 0, momentum: 1)
        plan.staleness.weightPercent = 0
        let problems = plan.problems
        #expect(problems.count == 13)
        for problem in problems {
            #expect(problem.message.hasPrefix("expected "), "\(problem.key): \(problem.message)")
        }
        #expect(problems.first { $0.key == "training.batch" }?.message == "expected 1 to 65536")
    }

    @Test func aSiteThatIsNamedTwiceIsNamedByTheProblem() {
        var plan = Samples.plan()
        plan.sites = [Samples.sites[1], Samples.sites[0], Samples.sites[1]]
        #expect(plan.problems.map(\.message) == ["b/two is named more than once: name each site once"])
        // On the wire, names are sorted, so that equal plans have equal bytes.
        plan.sites = [Samples.sites[1], Samples.sites[0]]
        #expect(plan.problems == [SettingProblem(key: "sites", message: "expected sorted names")])
    }

    @Test(arguments: [0.001, 0.5, 1, 10, 100, 3.7, 1e6], [1, 3, 1000, 5 * 10_000, 4096 << 24] as [UInt64])
    func sumsCannotOverflowAtTheChosenScale(bound: Double, weight: UInt64) {
        let bits = FixedPoint.scaleBits(bound: bound, totalWeight: weight)
        let largest = bound * Double(sign: .plus, exponent: bits, significand: 1)
        #expect(largest <= 0x1p51)
        #expect(largest * Double(weight) <= 0x1p62)
        // The scale is not coarser than necessary.
        #expect(largest * 4 > 0x1p51 || largest * Double(weight) * 8 > 0x1p62)
    }

    @Test func deadlinesSaturate() {
        #expect(Timestamp(milliseconds: .max).adding(seconds: 1).milliseconds == .max)
        #expect(Timestamp(milliseconds: 5).adding(seconds: -1).milliseconds == 5)
    }

    @Test func detailsAreCutByBytesHoweverLongTheirCharactersAre() {
        let long = "e" + String(repeating: "\u{301}", count: 50_000)
        #expect(long.count == 1)
        #expect(UpdateRefusal(.malformed, long).detail.utf8.count <= UpdateRefusal.detailBytes + 8)
    }
}
