import Contracts

/// Checks whether all steps of a demonstration were written.
///
/// If a step of a dataset contains only a fill value that the file's writer chose, the step was not written. The
/// library's default fill value is 0, and zeros can be real values: of an action, of a joint, or of everything if a
/// robot waits at its origin. But if all datasets are zero at the end of a demonstration, or for several steps after
/// its start, the recording was probably cut short.
struct StepCheck {
    private let episode: Episode
    private let length: Int
    private var problems: [String] = []
    /// Runs of steps in which all datasets contain only zeros.
    private var runs: [Range<Int>] = []
    /// The number of last actions that are all zeros, if it is at least 2 and not all actions are zeros.
    private(set) var zeroTail: Int?
    /// Runs of steps in which one dataset contains only zeros, of several steps or at the end: either the robot rests,
    /// or the values were not recorded.
    private(set) var zeroParts: [(dataset: String, steps: Range<Int>)] = []

    init(_ episode: Episode, _ contract: Contract, length: Int, actions: [Float], states: [[Float]], images: [[UInt8]])
        throws
    {
        self.episode = episode
        self.length = length
        var empty = [Bool](repeating: true, count: length)
        func problem<Element: Equatable>(_ name: String, _ values: [Element], _ convert: (Float) -> Element?) throws
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
                "\(name) has only its fill value \(fill.value) in steps \(range.lowerBound) to \(range.upperBound - 1)"
        }
        problems += [try problem(episode.actions, actions) { $0 }].compactMap(\.self)
        for (feature, values) in zip(contract.state, states) {
            problems += [try problem(episode.state(feature.key), values) { $0 }].compactMap(\.self)
        }
        for (camera, values) in zip(contract.cameras, images) {
            problems += [try problem(episode.images(camera.key), values) { UInt8(exactly: $0) }].compactMap(\.self)
        }
        // A demonstration without observations consists only of its actions, which may really be zeros.
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

    /// Throws if some steps were never written.
    func check() throws {
        var problems = problems
        if problems.isEmpty, let run = runs.first(where: isUnwritten) {
            problems.append("\(Self.text(run)) contain only zeros, in the actions and in all observations")
        }
        guard problems.isEmpty else {
            throw episode.wrong(
                problems,
                hint: "these steps were never written: shorten the demonstration to its recorded steps"
            )
        }
    }

    private func isUnwritten(_ run: Range<Int>) -> Bool {
        run.upperBound == length || run.lowerBound > 0 && run.count > 1
    }

    /// Runs of zeros that may be real values: at the start, and single steps.
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
