import Coordinator
import Federation
import Testing

@Suite struct StartupWaitTests {
    private let sites = ["a/one", "b/two", "c/three"].map { SiteID($0)! }
    private let start = Timestamp(milliseconds: 1_000_000)

    /// A campaign of three sites, of which two must take part.
    private func state() throws -> ConsortiumState {
        let model = ModelReference(digest: digest(1), layout: digest(2), byteCount: 1000)
        let plan = Plan(
            campaign: CampaignID("C1")!,
            base: ModelName("FY2026")!,
            release: ModelName("FY2027")!,
            model: model,
            sites: sites,
            rounds: 1,
            quorum: 2,
            recruitingSeconds: 30,
            deadlineSeconds: 100,
            maximumAttempts: 1,
            strategy: .fedAvg(learningRate: 1),
            bounds: Bounds(weight: 100, norm: 10),
            training: Training(localSteps: 1, batch: 1, learningRate: 1e-3)
        )
        let genesis = Genesis(
            consortium: "t",
            authority: digest(9),
            logKey: [],
            coordinatorCertificate: [],
            logKeySignature: []
        )
        var state = ConsortiumState()
        for body in [
            Entry.Body.founded(genesis), .modelRegistered(plan.base, model, by: ""),
            .campaignOpened(plan, by: "operator/o"),
        ] {
            try state.apply(Entry(at: start, body))
        }
        return state
    }

    private func digest(_ byte: UInt8) -> Digest { Digest([UInt8](repeating: byte, count: 32))! }

    @Test func itIsOverWhenAllSitesHaveCome() throws {
        let campaign = try state().campaign
        var startupWait = try #require(StartupWait(campaign, at: start))
        for site in sites {
            #expect(!startupWait.isOver(campaign))
            startupWait.recordConnection(of: site)
        }
        #expect(startupWait.isOver(campaign))
    }

    @Test func afterAWhileTheQuorumIsEnough() throws {
        let campaign = try state().campaign
        var startupWait = try #require(StartupWait(campaign, at: start))
        for site in [sites[0], SiteID("z/stranger")!] { startupWait.recordConnection(of: site) }
        startupWait.acceptQuorum()
        #expect(!startupWait.isOver(campaign))
        startupWait.recordConnection(of: sites[2])
        #expect(startupWait.isOver(campaign))
    }

    @Test func withoutACampaignThereIsNothingToWaitFor() throws {
        #expect(StartupWait(nil, at: start) == nil)
        let startupWait = try #require(StartupWait(try state().campaign, at: start))
        #expect(
            startupWait.isOver(nil)
                && startupWait.end == start.adding(milliseconds: CoordinatorLimits.startupWaitMilliseconds)
        )
    }
}
