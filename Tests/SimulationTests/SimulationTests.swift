import Simulation
import Testing

/// The real state machines, ledger and stores in a simulated environment with faults; `make simulate` runs far more.
@Suite struct SimulationTests {
    let simulator: Simulator
    init() throws { simulator = try Simulator() }

    @Test func nothingAcknowledgedIsLostInThousandsOfWorlds() {
        let summary = simulator.run(seeds: 1..<2001, threads: 2)
        print("simulation: \(summary.text)")
        for run in summary.failures {
            Issue.record("seed \(run.seed): \(run.failure ?? ""); run it again: make simulate SEED=\(run.seed)")
        }
        // An event that did not happen was not tested.
        #expect(summary.runs == 2000 && summary.hours > 5000)
        for fault in [
            "kills", "power failures", "lies", "bytes rotted", "damaged updates found", "deadlines extended",
            "late updates taken", "rounds abandoned",
            "updates refused", "prunings", "blobs claimed",
        ] {
            #expect(summary.count(fault) > 100, "\(fault): \(summary.count(fault))")
        }
        #expect(summary.count("blobs copied") > 20)
        #expect(summary.count("rounds committed") > 4000)
    }

    @Test func aSeedRunsTheSameWayEachTime() {
        for seed in UInt64(1)...20 {
            let (first, second) = (simulator.run(seed: seed), simulator.run(seed: seed))
            #expect(first.fingerprint == second.fingerprint && first.steps == second.steps, "seed \(seed)")
        }
        #expect(Set((1...20).map { simulator.run(seed: $0).fingerprint }).count == 20)
    }

    /// The checkers work: they find each deliberate mistake within 200 seeds.
    @Test(arguments: Mistake.allCases)
    func aDeliberateMistakeIsFound(mistake: Mistake) {
        let found = (UInt64(1)...200).first { simulator.run(seed: $0, mistake: mistake).failure != nil }
        #expect(found != nil, "\(mistake.rawValue) was not found")
        if let found { print("simulation: \(mistake.rawValue) is found by seed \(found)") }
    }
}
