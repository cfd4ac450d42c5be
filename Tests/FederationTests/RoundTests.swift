import Federation
import Testing

@Suite("A round opens, closes and is followed by the next, until its campaign ends")
struct RoundTests: RoundFixture {
    @Test func roundOpensAtOnceWhenEverySiteIsPresent() throws {
        let (machine, entries) = try opened()
        guard case .roundOpened(let opening) = try #require(entries.last).body else { throw TestFailure() }
        #expect(opening.cohort == Samples.sites)
        #expect(opening.deadline == start + 100)
        guard case .train(let task) = machine.assignment(for: Samples.sites[0]) else { throw TestFailure() }
        #expect(task.model.digest == Samples.base.digest)
    }

    @Test func roundWithAQuorumWaitsForTheOthersAndThenOpensWithoutThem() throws {
        var (machine, _) = try Samples.machine()
        #expect(machine.handle(.arrived(Samples.sites[0]), at: start).entries.isEmpty)
        #expect(machine.handle(.arrived(Samples.sites[1]), at: start).entries.isEmpty)
        #expect(machine.wakeTime == start + 30)
        #expect(machine.handle(.tick, at: start + 29).entries.isEmpty)
        let entries = machine.handle(.tick, at: start + 30).entries
        guard case .roundOpened(let opening) = try #require(entries.first).body else { throw TestFailure() }
        #expect(opening.cohort == Array(Samples.sites.prefix(2)))
        guard case .rest = machine.assignment(for: Samples.sites[2]) else { throw TestFailure() }
    }

    @Test func completeRoundClosesCommitsAndTheNextOneOpens() throws {
        var (machine, _) = try opened()
        var effects: [CoordinatorMachine.Effect] = []
        for site in Samples.sites {
            effects = machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start)
        }
        let task = try #require(effects.tasks.first)
        #expect(task.contributions.map(\.site) == Samples.sites)
        #expect(task.totalWeight == 150)
        let entries = machine.handle(.aggregated(task.key, result(3)), at: start).entries
        guard case .roundCommitted = entries[0].body, case .roundOpened(let opening) = entries[1].body else {
            throw TestFailure()
        }
        #expect(opening.key == RoundKey(round: 2, attempt: 1))
        #expect(opening.model == Samples.digest(3))
    }

    @Test func deadlineClosesWithAQuorumAndAbandonsWithout() throws {
        var (machine, _) = try opened()
        _ = machine.handle(.submitted(Samples.submission(Samples.update(of: Samples.sites[0]))), at: start)
        var two = machine
        _ = two.handle(.submitted(Samples.submission(Samples.update(of: Samples.sites[2]))), at: start)
        #expect(two.handle(.tick, at: start + 100).tasks.first?.contributions.count == 2)
        let entries = machine.handle(.tick, at: start + 100).entries
        guard case .roundAbandoned(let abandonment) = entries[0].body, case .roundOpened(let opening) = entries[1].body
        else { throw TestFailure() }
        #expect(abandonment.key == RoundKey(round: 1, attempt: 1))
        #expect(abandonment.reason.contains("1 of 2"))
        #expect(opening.key == RoundKey(round: 1, attempt: 2))
    }

    @Test func campaignStopsWhenARoundFailsTooOften() throws {
        var (machine, _) = try opened()
        _ = machine.handle(.tick, at: start + 100)
        let entries = machine.handle(.tick, at: start + 300).entries
        guard case .campaignEnded(let end) = try #require(entries.last).body else { throw TestFailure() }
        #expect(!end.completed)
        guard case .finished = machine.assignment(for: Samples.sites[0]) else { throw TestFailure() }
    }

    @Test func campaignEndsAndItsReleaseCanBeCutOnce() throws {
        var (machine, entries) = try opened(Samples.plan(rounds: 1))
        for site in Samples.sites {
            entries += machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start).entries
        }
        entries += machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start).entries
        let cutting = ReleaseCutting(
            name: ModelName("FY2027")!,
            campaign: Samples.campaign,
            model: ModelReference(digest: Samples.digest(3), layout: Samples.base.layout, byteCount: 1000),
            cutBy: "operator/o"
        )
        entries += try machine.cut(cutting, at: start).entries
        #expect(machine.state.models[ModelName("FY2027")!] == cutting.model)
        #expect(throws: LedgerViolation.self) { try machine.cut(cutting, at: start) }
        // Updates of one campaign must not count in another campaign of the same name.
        #expect(throws: LedgerViolation("uses the name C1 again")) {
            var plan = Samples.plan()
            plan.release = ModelName("FY2028")!
            _ = try machine.open(plan, by: "operator/o", at: start)
        }
    }
}
