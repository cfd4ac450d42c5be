import Federation
import Foundation
import Testing

/// The learning part of a plan: schedules, adapters, compression.
@Suite struct LearningPlanTests {
    @Test func schedulesRiseFallAndMeetTheirEnds() {
        let constant = RateSchedule(.constant, decayTo: 0.1), linear = RateSchedule(.linear, decayTo: 0.2),
            cosine = RateSchedule(.cosine, decayTo: 0.1)
        for round in 1...50 {
            let passed = Double(round - 1) / 50
            #expect(constant.factor(round: round, of: 50) == 1)
            #expect(abs(linear.factor(round: round, of: 50) - (1 - 0.8 * passed)) < 1e-12)
            #expect(abs(cosine.factor(round: round, of: 50) - (0.1 + 0.9 * 0.5 * (1 + cos(.pi * passed)))) < 1e-12)
        }
        let warm = RateSchedule(.constant, warmupRounds: 4)
        #expect((1...6).map { warm.factor(round: $0, of: 50) } == [0.25, 0.5, 0.75, 1, 1, 1])
    }

    @Test func epochsBecomeStepsOfTheSitesOwnNumber() {
        var training = Training(localSteps: 0, localEpochs: 3, batch: 32, learningRate: 1)
        #expect(training.steps(samples: 100) == 10 && training.steps(samples: 1) == 1)
        (training.localSteps, training.localEpochs) = (7, 0)
        #expect(training.steps(samples: 100) == 7)
    }

    static let lora = LoRA(rank: 4, alpha: 8, targets: ["qkv"])

    private func problems(_ change: (inout Plan) -> Void) -> [String] {
        var plan = Samples.plan()
        change(&plan)
        return plan.problems.map(\.key)
    }

    @Test func whatCannotBeLearnedIsNamed() {
        #expect(problems { $0.training.lora = Self.lora } == [])
        // Products of factors would be rounded to zero.
        #expect(
            problems {
                $0.training.lora = Self.lora; $0.bounds.norm = 1e6
            } == ["bounds.norm"]
        )
        // The bounds themselves must not overflow the arithmetic that checks them.
        #expect(
            problems {
                $0.training.lora = Self.lora; $0.bounds = Bounds(weight: 0, norm: 0)
            } == ["bounds.weight", "bounds.norm"]
        )
        #expect(
            problems {
                $0.training.lora = Self.lora; $0.bounds.norm = .greatestFiniteMagnitude
            } == ["bounds.norm"]
        )
        #expect(problems { $0.bounds = Bounds(weight: 1 << 24, norm: 1e6) } == ["bounds.norm"])
        #expect(problems { $0.training.localEpochs = 1 } == ["training.local_steps"])
        #expect(problems { $0.training.localSteps = 0 } == ["training.local_steps"])
        #expect(problems { $0.training.lora = LoRA(rank: 0, alpha: 1, targets: ["a"]) } == ["lora.rank"])
        #expect(problems { $0.training.lora = LoRA(rank: 1025, alpha: 1, targets: ["a"]) } == ["lora.rank"])
        #expect(
            problems { $0.training.lora = LoRA(rank: 1024, alpha: .infinity, targets: ["a", "a"]) } == [
                "lora.alpha", "lora.targets",
            ]
        )
        #expect(problems { $0.compression = .int8(block: 15) } == ["compression.block"])
        #expect(problems { $0.compression = .int8(block: 16) } == [])
        #expect(problems { $0.compression = .topK(fraction: 0.2501) } == ["compression.fraction"])
        #expect(problems { $0.compression = .topK(fraction: 0) } == ["compression.fraction"])
        #expect(problems { $0.training.proximal = -1 } == ["training.proximal"])
        #expect(
            problems { $0.strategy = .fedAdam(AdaptiveMoments(learningRate: 1, beta1: 1, beta2: -1, adaptivity: 0)) }
                .count == 3
        )
        #expect(
            problems {
                $0.staleness = StalenessPolicy(rounds: 1, weightPercent: 50); $0.training.lora = Self.lora
            } == []
        )
        var alternating = Self.lora
        alternating.aggregation = .alternating
        #expect(
            problems {
                $0.staleness = StalenessPolicy(rounds: 1, weightPercent: 50); $0.training.lora = alternating
            } == ["late.rounds"]
        )
    }

    @Test func factorsTakeTurns() {
        let rounds = [1, 2, 3]
        func turns(_ aggregation: LoRA.Aggregation) -> [String] {
            let lora = LoRA(rank: 1, alpha: 1, targets: ["a"], aggregation: aggregation)
            return rounds.map { (lora.trainsA(round: $0) ? "a" : "") + (lora.trainsB(round: $0) ? "b" : "") }
        }
        #expect(turns(.exact) == ["ab", "ab", "ab"] && turns(.average) == ["ab", "ab", "ab"])
        #expect(turns(.alternating) == ["b", "a", "b"] && turns(.frozenA) == ["b", "b", "b"])
    }

    // MARK: The life of an adapter

    private let start = Samples.start

    /// Runs a round to the point where its result is due.
    private func collect(
        _ machine: inout CoordinatorMachine,
        round: Int,
        model: Digest,
        adapter: Digest? = nil,
        at time: Timestamp
    ) throws -> AggregationTask {
        for site in Samples.sites { _ = machine.handle(.arrived(site), at: time) }
        var tasks: [AggregationTask] = []
        for site in Samples.sites {
            let update = Samples.update(of: site, round: round, model: model, adapter: adapter)
            tasks += machine.handle(.submitted(Samples.submission(update)), at: time).tasks
        }
        return try #require(tasks.first)
    }

    @Test func theAdapterGoesFromRoundToRoundAndEndsInTheModel() throws {
        var plan = Samples.plan()
        plan.training.lora = Self.lora
        plan.training.lora?.aggregation = .average
        plan.strategy = .fedAvg(learningRate: 1)
        var (machine, _) = try Samples.machine(plan)
        let first = try collect(&machine, round: 1, model: Samples.base.digest, at: start)
        #expect(first.start.adapter == nil && first.makesAdapter && !first.makesModel)
        let adapter = BlobReference(digest: Samples.digest(77), byteCount: 5)
        let middle = GlobalState(model: Samples.base.digest, modelByteCount: 1000, adapter: adapter, serverState: nil)
        _ = machine.handle(.aggregated(first.key, middle), at: start)
        guard case .train(let task) = machine.assignment(for: Samples.sites[0]) else { throw TestFailure() }
        #expect(task.key.round == 2 && task.adapter == adapter && task.model.digest == Samples.base.digest)
        #expect(machine.state.neededBlobs.contains(adapter.digest))
        // The model is the same in both rounds; only the adapter distinguishes their updates.
        let stale = Samples.update(of: Samples.sites[0], round: 2, adapter: Samples.digest(76))
        guard
            case .refused(let refusal)? = machine.handle(.submitted(Samples.submission(stale)), at: start).answers.first
        else { throw TestFailure() }
        #expect(refusal.reason == .wrongBase)
        let last = try collect(&machine, round: 2, model: Samples.base.digest, adapter: adapter.digest, at: start)
        #expect(last.start.adapter == adapter && !last.makesAdapter && last.makesModel)
        _ = machine.handle(
            .aggregated(last.key, GlobalState(model: Samples.digest(78), modelByteCount: 1000, serverState: nil)),
            at: start
        )
        #expect(machine.state.campaign?.end?.model == Samples.digest(78))
    }

    @Test func aCommitWithoutItsAdapterOrWithAnotherModelDoesNotFold() throws {
        var plan = Samples.plan()
        plan.training.lora = Self.lora
        plan.training.lora?.aggregation = .frozenA
        plan.strategy = .fedAvg(learningRate: 1)
        var (machine, _) = try Samples.machine(plan)
        let task = try collect(&machine, round: 1, model: Samples.base.digest, at: start)
        let adapter = BlobReference(digest: Samples.digest(77), byteCount: 5)
        func commit(_ result: GlobalState) -> Entry {
            Entry(
                at: start,
                .roundCommitted(
                    RoundCommit(key: task.key, result: result, scaleBits: task.scaleBits, totalWeight: task.totalWeight)
                )
            )
        }
        for wrong in [
            GlobalState(model: Samples.base.digest, modelByteCount: 1000, serverState: nil),
            GlobalState(model: Samples.digest(5), modelByteCount: 1000, adapter: adapter, serverState: nil),
        ] {
            var state = machine.state
            #expect(throws: LedgerViolation.self) { try state.apply(commit(wrong)) }
        }
        var state = machine.state
        try state.apply(
            commit(GlobalState(model: Samples.base.digest, modelByteCount: 1000, adapter: adapter, serverState: nil))
        )
    }
}
