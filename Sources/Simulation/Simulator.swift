import Dispatch
import Synchronization

/// Plays seeds: years of a consortium's life with everything going wrong, in seconds.
public struct Simulator: Sendable {
    private let cast: Cast

    public init() throws { cast = try Cast.make() }

    /// One seed's play; `log` hears what happens.
    public func play(seed: UInt64, mistake: Mistake? = nil, log: ((String) -> Void)? = nil) -> Play {
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

    /// Plays `seeds` on `threads` threads. `progress` hears how many are done; failures are sorted by their seeds.
    public func play(
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

/// What came of one seed.
public struct Play: Sendable {
    public let seed: UInt64
    /// What a checker found; `nil`: everything held.
    public let failure: String?
    /// Simulated time.
    public let milliseconds: UInt64
    public let steps: Int
    public let counts: [String: Int]
    /// The same each time the seed is played.
    public let fingerprint: UInt64
}

/// What came of many.
public struct Summary: Sendable {
    public private(set) var plays = 0
    public private(set) var hours = 0.0
    public private(set) var steps = 0
    public private(set) var counts: [String: Int] = [:]
    public private(set) var failures: [Play] = []

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

    public func count(_ what: String) -> Int { counts[what] ?? 0 }
    public var crashes: Int { count("kills") + count("power failures") }

    /// One line for people.
    public var text: String {
        "\(plays) seeds, \(Int(hours)) simulated hours, \(crashes) crashes (\(count("power failures")) of them "
            + "power failures), \(count("faults")) faults, "
            + "\(count("lies")) lies, \(count("rounds committed")) rounds committed, \(failures.count) failures"
    }
}
