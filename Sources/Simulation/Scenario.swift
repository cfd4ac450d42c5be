import Tensors
import Federation

/// The parameters of one seed: the participants, the plan, and the number and kind of faults.
struct Scenario {
    let sites: Int
    let plan: Plan
    /// The number of elements of the model.
    let parameters: Int
    /// When the faults end, in milliseconds.
    let faultsEnd: UInt64
    /// The mean time between two faults, in milliseconds.
    let faultInterval: UInt64
    let latency: ClosedRange<Int>
    let trainingSeconds: ClosedRange<Int>
    /// The probability that a control message arrives twice.
    let duplication: Double
    /// The index of the site that is dishonest; `nil` if all are honest.
    let byzantineSite: Int?
    let faults: [Fault]

    enum Fault: String, CaseIterable, Sendable {
        case crashCoordinator, crashSite, powerFailure, crashAtEffect, cutLink, partition, fullDisk, clockStep, bitRot,
            failedWrite, operate, backup,
            restoreBackup
    }

    init(_ random: inout SeededGenerator, model: ModelReference, parameters: Int) {
        func pick<T>(_ values: [T]) -> T { values.randomElement(using: &random)! }
        let count = Int.random(in: 2...5, using: &random)
        sites = count
        self.parameters = parameters
        let extensions = pick([Extensions.none, Extensions(seconds: 1800, maximum: 2)])
        let lora =
            Bool.random(using: &random)
            ? nil : LoRA(rank: 2, alpha: 4, targets: ["a"], aggregation: pick(LoRA.Aggregation.allCases))
        // With alternating factors the format changes from round to round, so such a plan accepts no late updates.
        let staleness =
            lora?.aggregation == .alternating
            ? StalenessPolicy.refused
            : pick([
                StalenessPolicy.refused, StalenessPolicy(rounds: 1, weightPercent: 50),
                StalenessPolicy(rounds: 2, weightPercent: 70),
            ])
        plan = Plan(
            campaign: CampaignID("C1")!,
            base: ModelName("FY2026")!,
            release: ModelName("FY2027")!,
            model: model,
            sites: (0..<count).map(SimulationFixture.site),
            rounds: Int.random(in: 2...4, using: &random),
            quorum: Int.random(in: 1...count, using: &random),
            recruitingSeconds: pick([0, 60, 600]),
            recruitingDeadlineSeconds: pick([0, 0, 7200, 86_400]),
            deadlineSeconds: pick([900, 3600, 14_400]),
            maximumAttempts: 100,
            extensions: extensions,
            staleness: staleness,
            retentionSeconds: pick([0, 3600]),
            strategy: pick([
                .fedAvg(learningRate: 1), .fedAvg(learningRate: 0.5), .fedAvgM(learningRate: 1, momentum: 0.7),
                .nesterov(learningRate: 0.7, momentum: 0.9),
                .fedAdam(AdaptiveMoments(learningRate: 0.1)), .fedYogi(AdaptiveMoments(learningRate: 0.1)),
            ]),
            bounds: Bounds(weight: 100, norm: 10),
            training: Training(
                localSteps: 1,
                batch: 1,
                learningRate: 1e-3,
                lora: lora
            ),
            compression: pick([.none, .none, .bfloat16, .int8(block: 16), .topK(fraction: 0.2)])
        )
        precondition(plan.problems.isEmpty, "\(plan.problems)")
        faultsEnd = UInt64(Int.random(in: 1...8, using: &random)) * 3_600_000
        faultInterval = UInt64(pick([60_000, 300_000, 1_200_000]))
        latency = pick([1...20, 10...2000, 1...30_000])
        trainingSeconds = pick([1...60, 60...1800, 600...10_800])
        duplication = pick([0, 0.1])
        byzantineSite = Bool.random(using: &random) ? Int.random(in: 0..<count, using: &random) : nil
        faults = Fault.allCases.filter { _ in Double.random(in: 0..<1, using: &random) < 0.7 }
    }
}
