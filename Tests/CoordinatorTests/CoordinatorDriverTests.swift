import Coordinator
import Federation
import Identity
import Ledger
import Protocol
import TestKit
import Testing
import Wire

/// The driver with a real ledger and no other real component.
@Suite struct CoordinatorDriverTests {
    private let sites = ["a/one", "b/two"].map { SiteID($0)! }
    private let start = Timestamp(milliseconds: 1_000_000)
    private let directory: TemporaryDirectory
    private let ledger: Ledger
    private let state: ConsortiumState

    init() throws {
        directory = try TemporaryDirectory()
        let key = try PrivateKey.generate(.ed25519)
        let store = try SQLiteLedger(path: directory.file("ledger.sqlite"))
        ledger = try Ledger(consortium: "t", store: store, key: key)
        let genesis = Genesis(
            consortium: "t",
            authority: Self.digest(9),
            logKey: try key.publicKey.ed25519Bytes(),
            coordinatorCertificate: [],
            logKeySignature: []
        )
        let bodies = [
            Entry.Body.founded(genesis), .modelRegistered(Self.plan.base, Self.plan.model!, by: ""),
            .campaignOpened(Self.plan, by: "operator/o"),
        ]
        let time = start
        try ledger.append(bodies.map { Entry(at: time, $0) })
        state = try ledger.reload()
    }

    private static func digest(_ byte: UInt8) -> Digest { Digest([UInt8](repeating: byte, count: 32))! }
    private static let plan = Plan(
        campaign: CampaignID("C1")!,
        base: ModelName("FY2026")!,
        release: ModelName("FY2027")!,
        model: ModelReference(digest: digest(1), layout: digest(2), byteCount: 1000),
        sites: ["a/one", "b/two"].map { SiteID($0)! },
        rounds: 1,
        quorum: 2,
        recruitingSeconds: 30,
        deadlineSeconds: 100,
        maximumAttempts: 1,
        strategy: .fedAvg(learningRate: 1),
        bounds: Bounds(weight: 100, norm: 10),
        training: Training(localSteps: 1, batch: 1, learningRate: 1e-3)
    )

    /// A driver whose sites are all connected: round 1 is due.
    private func opened() -> (CoordinatorDriver, [CoordinatorEffect]) {
        var driver = CoordinatorDriver(state: state, ledger: ledger.snapshot)
        _ = driver.handle(.started, at: start)
        _ = driver.handle(.arrived(sites[0], LinkID(1), nil), at: start)
        let effects = driver.handle(.arrived(sites[1], LinkID(2), nil), at: start)
        return (driver, effects)
    }

    private func update(of site: SiteID, _ content: UInt8) -> SignedUpdate {
        let manifest = UpdateManifest(
            campaign: Self.plan.campaign,
            key: RoundKey(round: 1, attempt: 1),
            site: site,
            model: Self.digest(1),
            update: Self.digest(content),
            updateByteCount: 900,
            layout: Self.digest(2),
            samples: 50,
            localLoss: 0.5,
            createdAt: start
        )
        return SignedUpdate(manifest: manifest, manifestBytes: manifest.wireBytes, signature: [2], certificate: [3])
    }

    /// Submits an update that passes inspection, up to the point where the driver decides about it.
    private func submit(_ driver: inout CoordinatorDriver, _ number: UInt64, _ site: Int) -> [CoordinatorEffect] {
        let id = RequestID(number), update = update(of: sites[site], UInt8(60 + site))
        var effects = driver.handle(.asked(id, .submit(update, from: sites[site])), at: start)
        effects += driver.handle(.inspected(id, .sound(norm: 1)), at: start)
        return effects + driver.handle(.published(id, .sound(norm: 1)), at: start)
    }

    @Test func nothingThatFollowsFromADecisionLeavesBeforeItsEntriesAreWritten() throws {
        var (driver, effects) = opened()
        let entries = try #require(effects.entries)
        guard case .roundOpened? = entries.first?.body else { return _ = Issue.record("\(effects)") }
        #expect(effects.assignments.isEmpty && driver.isUnsettled)
        try ledger.append(entries)
        effects = driver.handle(.appended(ledger.snapshot), at: start)
        #expect(effects.assignments.map(\.0) == [LinkID(1), LinkID(2)])
        #expect(effects.assignments.allSatisfy { if case .train = $0.1 { true } else { false } })
        #expect(!driver.isUnsettled && driver.ledger.count == 4)
    }

    @Test func whatComesWhileTheLedgerIsWrittenIsDecidedAndWrittenTogether() throws {
        var (driver, effects) = opened()
        for number in 0..<2 {
            let request = CoordinatorRequest.submit(update(of: sites[number], UInt8(60 + number)), from: sites[number])
            #expect(
                driver.handle(.asked(RequestID(UInt64(number + 1)), request), at: start).isEmpty,
                "it waits for the opening of the round"
            )
        }
        try ledger.append(try #require(effects.entries))
        effects = driver.handle(.appended(ledger.snapshot), at: start)
        #expect(effects.inspections == [RequestID(1), RequestID(2)])
        for id in effects.inspections { _ = driver.handle(.inspected(id, .sound(norm: 1)), at: start) }
        let first = driver.handle(.published(RequestID(1), .sound(norm: 1)), at: start)
        #expect(first.entries?.count == 1 && first.replies.isEmpty)
        #expect(driver.handle(.published(RequestID(2), .sound(norm: 1)), at: start).isEmpty)
        try ledger.append(try #require(first.entries))
        let second = driver.handle(.appended(ledger.snapshot), at: start)
        #expect(second.replies.map(\.0) == [RequestID(1)])
        // One entry for the second update, and one for the end of the round that it completes.
        #expect(second.entries?.count == 2)
        try ledger.append(try #require(second.entries))
        let last = driver.handle(.appended(ledger.snapshot), at: start)
        #expect(last.replies.map(\.0) == [RequestID(2)])
        #expect(last.contains { if case .compute = $0 { true } else { false } })
    }

    @Test func aWriteThatFailsHasDecidedNothingAndIsTriedAgain() throws {
        var (driver, _) = opened()
        let ask = RequestID(7)
        #expect(driver.handle(.asked(ask, .prune(by: "operator/o")), at: start).isEmpty)
        var effects = driver.handle(.appendFailed("no room"), at: start)
        #expect(effects.contains { if case .reload = $0 { true } else { false } } && effects.assignments.isEmpty)
        effects = driver.handle(.read(state, ledger.snapshot), at: start)
        // A request has arrived meanwhile: the driver retries at once.
        #expect(effects.entries?.count == 1)
        effects = driver.handle(.appendFailed("no room"), at: start)
        guard case (ask, .refused(let refusal))? = effects.replies.first else { return _ = Issue.record("\(effects)") }
        #expect(refusal.message.contains("no room"))
        effects = driver.handle(.read(state, ledger.snapshot), at: start)
        #expect(driver.machine.state == state && effects.entries == nil)
        #expect(effects.contains { if case .wake(.retry, _) = $0 { true } else { false } })
        #expect(driver.problems(at: start).decisions.contains { $0.contains("no room") })
        // The sites that connected meanwhile are in the round.
        effects = driver.handle(.due(.retry), at: start + 5)
        guard case .roundOpened(let opening)? = effects.entries?.first?.body else {
            return _ = Issue.record("\(effects)")
        }
        #expect(opening.cohort == sites)
    }

    @Test func aLedgerThatCannotBeReadAnswersNothingUntilItCan() throws {
        var (driver, _) = opened()
        _ = driver.handle(.appendFailed("gone"), at: start)
        _ = driver.handle(.readFailed("gone"), at: start)
        let effects = driver.handle(.asked(RequestID(1), .submit(update(of: sites[0], 60), from: sites[0])), at: start)
        guard case .refused(let refusal)? = effects.replies.first?.1 else { return _ = Issue.record("\(effects)") }
        #expect(refusal.code == .unavailable)
        #expect(driver.handle(.due(.retry), at: start + 5).contains { if case .reload = $0 { true } else { false } })
        #expect(driver.handle(.read(state, ledger.snapshot), at: start + 5).entries?.count == 1)
    }

    @Test func aReaderSeesWhatIsOnTheDisk() throws {
        var (driver, effects) = opened()
        let seen = Seen()
        driver.whenDurable { seen.counts.append($0.machine.state.entryCount) }
        #expect(seen.counts.isEmpty)
        _ = driver.handle(.asked(RequestID(1), .submit(update(of: sites[0], 60), from: sites[0])), at: start)
        try ledger.append(try #require(effects.entries))
        effects = driver.handle(.appended(ledger.snapshot), at: start)
        #expect(seen.counts == [4])
        driver.whenDurable { seen.counts.append($0.machine.state.entryCount) }
        #expect(seen.counts == [4, 4])
    }

    @Test func afterAStopNothingIsDecidedAndWhatIsBeingWrittenIsSeenToItsEnd() throws {
        var (driver, effects) = opened()
        try ledger.append(try #require(effects.entries))
        _ = driver.handle(.appended(ledger.snapshot), at: start)
        _ = driver.handle(.asked(RequestID(1), .submit(update(of: sites[0], 60), from: sites[0])), at: start)
        effects = submit(&driver, 2, 1)
        let entries = try #require(effects.entries)
        effects = driver.stop(at: start)
        // The update that is being inspected is refused; the one that is being written is answered when it is on disk.
        #expect(effects.replies.map(\.0) == [RequestID(1)])
        try ledger.append(entries)
        effects = driver.handle(.appended(ledger.snapshot), at: start)
        #expect(effects.replies.map(\.0) == [RequestID(2)] && effects.entries == nil)
        for event in [.due(.tick), .left(sites[0], LinkID(1)), .inspected(RequestID(1), .sound(norm: 1))]
            as [CoordinatorEvent]
        {
            #expect(driver.handle(event, at: start + 1000).isEmpty)
        }
        guard case .refused? = driver.handle(.asked(RequestID(3), .prune(by: "operator/o")), at: start).replies.first?.1
        else {
            return _ = Issue.record("a request was taken after the stop")
        }
    }

    @Test func aSitesNewestLinkCounts() throws {
        var (driver, effects) = opened()
        try ledger.append(try #require(effects.entries))
        _ = driver.handle(.appended(ledger.snapshot), at: start)
        effects = driver.handle(.arrived(sites[0], LinkID(3), nil), at: start)
        #expect(effects.contains { if case .close(LinkID(1)) = $0 { true } else { false } })
        // The end of an old link does not disconnect the site.
        _ = driver.handle(.left(sites[0], LinkID(1)), at: start)
        #expect(driver.sites[sites[0]]?.isConnected == true)
    }

    private final class Seen: @unchecked Sendable {
        // Unchecked, because there is only one thread.
        var counts: [UInt64] = []
    }
}

extension [CoordinatorEffect] {
    fileprivate var entries: [Entry]? {
        lazy.compactMap { if case .append(let entries) = $0 { entries } else { nil } }.first
    }
    fileprivate var assignments: [(LinkID, Assignment)] {
        compactMap { if case .assign(let link, let assignment, _) = $0 { (link, assignment) } else { nil } }
    }
    fileprivate var replies: [(RequestID, CoordinatorAnswer)] {
        compactMap { if case .reply(let id, let answer) = $0 { (id, answer) } else { nil } }
    }
    fileprivate var inspections: [RequestID] {
        compactMap { if case .inspect(let id, _, _, _) = $0 { id } else { nil } }
    }
}

extension Timestamp {
    fileprivate static func + (time: Timestamp, seconds: Int) -> Timestamp { time.adding(seconds: seconds) }
}
