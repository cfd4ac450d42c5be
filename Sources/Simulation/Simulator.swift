import Dispatch
import Synchronization

/// Runs seeds: each simulates years of a consortium with all kinds of faults in a few seconds.
package struct Simulator: Sendable {
    private let cast: Cast

    package init() throws { cast = try Cast.make() }

    /// Runs one seed.
    ///
    /// - Parameter log: Called with a description of each event.
    package func play(seed: UInt64, mistake: Mistake? = nil, log: ((String) -> Void)? = nil) -> Play {
        do {
            let world = try World(seed: seed, cast: cast, mistake: mistake)
            world.log = log
            let failure = world.play()
            return Play(
                seed: seed,
                failure: failure?.message,
                milliseconds: world.now,
                steps: world.steps,
                counts: world.counts,
                fingerprint: world.fingerprint
            )
        } catch {
            return Play(
                seed: seed,
                failure: "the world could not be made: \(error)",
                milliseconds: 0,
                steps: 0,
                counts: [:],
                fingerprint: 0
            )
        }
    }

    /// Runs `seeds` on `threads` threads; failures are sorted by seed.
    ///
    /// - Parameter progress: Called with the number of finished seeds.
    package func play(
        seeds: Range<UInt64>,
        mistake: Mistake? = nil,
        threads: Int,
        progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) -> Summary {
        let state = Mutex((next: seeds.lowerBound, summary: Summary()))
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let seed = state.withLock { state -> UInt64? in
                    guard state.next < seeds.upperBound else { return nil }
                    defer { state.next += 1 }
                    return state.next
                }
                guard let seed else { return }
                let play = play(seed: seed, mistake: mistake)
                progress(
                    state.withLock {
                        $0.summary.add(play)
                        return $0.summary.plays
                    }
                )
            }
        }
        return state.withLock { $0.summary.sorted }
    }
}

/// The result of one seed.
package struct Play: Sendable {
    package let seed: UInt64
    /// What a checker found; `nil` if every check passed.
    package let failure: String?
    /// The simulated time.
    package let milliseconds: UInt64
    package let steps: Int
    package let counts: [String: Int]
    /// The same in every run of the seed.
    package let fingerprint: UInt64
}

/// The results of many seeds.
package struct Summary: Sendable {
    package private(set) var plays = 0
    package private(set) var hours = 0.0
    package private(set) var steps = 0
    package private(set) var counts: [String: Int] = [:]
    package private(set) var failures: [Play] = []

    mutating func add(_ play: Play) {
        plays += 1
        hours += Double(play.milliseconds) / 3_600_000
        steps += play.steps
        counts.merge(play.counts, uniquingKeysWith: +)
        if play.failure != nil { failures.append(play) }
    }

    var sorted: Summary {
        var copy = self
        copy.failures.sort { $0.seed < $1.seed }
        return copy
    }

    package func count(_ what: String) -> Int { counts[what] ?? 0 }
    package var crashes: Int { count("kills") + count("power failures") }

    /// The summary on one line, for display.
    package var text: String {
        "\(plays) seeds, \(Int(hours)) simulated hours, \(crashes) crashes (\(count("power failures")) of them "
            + "power failures), \(count("faults")) faults, "
            + "\(count("lies")) lies, \(count("rounds committed")) rounds committed, \(failures.count) failures"
    }
}
