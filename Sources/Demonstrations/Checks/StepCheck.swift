import Contracts

/// Whether the steps of a demonstration were all written.
///
/// A fill value that the file's writer chose says that they were not, in any dataset. Zeros, which the library takes
/// otherwise, may be true of an action, or of a joint, and of everything at once where a robot waits at its origin;
/// hardly at the end of a demonstration, where a recording that was cut short has them, nor for several steps on the
/// way.
struct StepCheck {
    private let episode: Episode
    private let length: Int
    private var problems: [String] = []
    /// Runs of steps that hold nothing but zeros.
    private var runs: [Range<Int>] = []
    /// Last actions that are all zeros, if there are several and not all of them are.
    private(set) var zeroTail: Int?
    /// Where one dataset holds nothing but zeros for several steps, or for all: a robot that rests, or what was never
    /// recorded.
    private(set) var zeroParts: [(dataset: String, steps: Range<Int>)] = []

    init(_ episode: Episode, _ contract: Contract, length: Int, actions: [Float], states: [[Float]], images: [[UInt8]])
        throws
    {
        self.episode = episode
        self.length = length
        var empty = [Bool](repeating: true, count: length)
        func look<Element: Equatable>(_ name: String, _ values: [Element], _ convert: (Float) -> Element?) throws
            -> String?
        {
            let fill = try episode.file.fill(name)
            let blank =
                convert(fill.value).map { Self.blankRows(values, length, $0) }
                ?? [Bool](repeating: false, count: length)
            for step in 0..<length where !blank[step] { empty[step] = false }
            let zeros = fill.value == 0 ? blank : convert(0).map { Self.blankRows(values, length, $0) } ?? []
            zeroParts += Self.runs(zeros).filter { $0.count > 1 || $0.upperBound == length }.map { (name, $0) }
            guard fill.isChosen, let range = Self.runs(blank).first else { return nil }
            return
                "\(name) holds only its fill value \(fill.value) in steps \(range.lowerBound) to \(range.upperBound - 1)"
        }
        problems += [try look(episode.actions, actions) { $0 }].compactMap(\.self)
        for (feature, values) in zip(contract.state, states) {
            problems += [try look(episode.state(feature.key), values) { $0 }].compactMap(\.self)
        }
        for (camera, values) in zip(contract.cameras, images) {
            problems += [try look(episode.images(camera.key), values) { UInt8(exactly: $0) }].compactMap(\.self)
        }
        // A demonstration without observations is its actions, which may be zeros.
        if !states.isEmpty || !images.isEmpty { runs = Self.runs(empty) }
        if let last = Self.runs(Self.blankRows(actions, length, 0)).last, last.upperBound == length,
            (2..<length).contains(last.count)
        {
            zeroTail = last.count
            zeroParts.removeAll { $0.dataset == episode.actions && $0.steps == last }
        }
        zeroParts.removeAll { part in
            runs.contains { $0.contains(part.steps.lowerBound) && part.steps.upperBound <= $0.upperBound }
        }
    }

    /// Throws where steps were never written.
    func check() throws {
        var problems = problems
        if problems.isEmpty, let run = runs.first(where: isUnwritten) {
            problems.append("\(Self.text(run)) hold nothing but zeros, in the actions and in all that is observed")
        }
        guard problems.isEmpty else {
            throw episode.wrong(
                problems,
                hint: "they were never written: make the demonstration as long as what was recorded"
            )
        }
    }

    private func isUnwritten(_ run: Range<Int>) -> Bool {
        run.upperBound == length || run.lowerBound > 0 && run.count > 1
    }

    /// Zeros that may be true: those from which the robot starts, and single steps.
    var zeroRuns: [Range<Int>] { runs.filter { !isUnwritten($0) } }

    static func text(_ steps: Range<Int>) -> String { "steps \(steps.lowerBound) to \(steps.upperBound - 1)" }

    private static func blankRows<Element: Equatable>(_ values: [Element], _ length: Int, _ fill: Element) -> [Bool] {
        let width = values.count / length
        return values.withUnsafeBufferPointer { values in
            (0..<length).map { step in values[step * width..<(step + 1) * width].allSatisfy { $0 == fill } }
        }
    }

    private static func runs(_ steps: [Bool]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        for (step, isBlank) in steps.enumerated() where isBlank {
            if let last = runs.last, last.upperBound == step {
                runs[runs.count - 1] = last.lowerBound..<step + 1
            } else {
                runs.append(step..<step + 1)
            }
        }
        return runs
    }
}
