import Contracts

/// Reads demonstrations as a contract expects them, and says by name what does not fit.
struct EpisodeReader {
    let c: PolicyConfiguration
    private let declared: DemonstrationFiles.Declaration
    private var set: DemonstrationSet
    private var fit: ContractFit
    private var found = SummaryBuilder()
    private var byteCount = 0
    /// What does not fit in the file itself: said together with what does not fit in its first demonstration.
    private var fileProblems: [String] = []
    private var misfits: Misfits
    private var remarks = Remarks()
    /// The demonstrations that were read, by their content.
    private var contents: [UInt64: String] = [:]
    /// Demonstrations that the data hold out.
    var heldOut = 0

    init(_ path: String, _ configuration: PolicyConfiguration, _ declared: DemonstrationFiles.Declaration) {
        c = configuration
        misfits = Misfits(path)
        self.declared = declared
        set = DemonstrationSet(configuration)
        fit = ContractFit(configuration.contract)
    }

    var contract: Contract { c.contract }

    /// What the file, or the engineer, says of the robot must agree with the contract. What cannot be checked does not
    /// agree.
    mutating func check(_ recording: Recording, in file: HDF5File) {
        fileProblems = []
        let said = recording.embodiment.flatMap { $0.isEmpty ? nil : $0 }
        if let said, !declared.embodiment.isEmpty, said != declared.embodiment {
            fileProblems.append("embodiment is \(said), and \(declared.embodiment) was declared")
        }
        let embodiment = said ?? declared.embodiment
        if embodiment.isEmpty {
            found.robotIsUnsaid = true
        } else {
            found.embodiment = embodiment
            if embodiment != contract.embodiment {
                fileProblems.append("embodiment is \(embodiment), the contract is for \(contract.embodiment)")
            }
        }
        switch recording.rate {
        case .said(let hertz):
            check(hertz, "control_freq in env_args")
            if declared.controlHertz > 0, !isRate(declared.controlHertz, hertz) {
                fileProblems.append(
                    "control_freq in env_args is \(hertz), and control_hz was declared as \(declared.controlHertz)"
                )
            }
        case .unsaid(let reason):
            if declared.controlHertz > 0 {
                check(declared.controlHertz, "control_hz as it was declared")
            } else if contract.controlHertz > 0 {
                fileProblems.append(
                    """
                    \(unchecked): \(reason); where the rate is known, declare control_hz (in worker.toml, or with \
                    --control-hz)
                    """
                )
            }
        case .unreadable(let reason):
            if contract.controlHertz > 0 { fileProblems.append("\(unchecked): \(reason)") }
        }
    }

    mutating func remark(_ kind: Remarks.Kind, _ example: String) { remarks.note(kind, example) }

    private var unchecked: String {
        "whether the data have the contract's \(contract.controlHertz) steps a second cannot be checked"
    }

    private mutating func check(_ hertz: Double, _ what: String) {
        found.controlHertz = hertz
        guard contract.controlHertz > 0, !isRate(hertz, contract.controlHertz) else { return }
        fileProblems.append(
            "\(what) is \(hertz), the contract has \(contract.controlHertz): resample the demonstrations to that rate"
        )
    }

    private func isRate(_ one: Double, _ other: Double) -> Bool { abs(one - other) <= 0.01 * other }

    /// What does not fit is kept for the end, so that a site's engineer hears of all demonstrations at once.
    mutating func read(_ episode: Episode) throws {
        do { try take(episode) } catch let error as ContractError { misfits.note(error) }
        fileProblems = []
        guard byteCount <= DemonstrationLimits.bytes else {
            throw ContractError("\(episode.file.path): more than \(DemonstrationLimits.bytes) bytes of demonstrations")
        }
    }

    /// A demonstration that is held out must not be one of those that were read.
    mutating func compare(heldOut episode: Episode) {
        // One that cannot be read is none of those that were.
        guard let length = try? episode.file.shape(episode.actions).first, let recorded = try? recorded(episode, length)
        else { return }
        let own = c.words > 0 ? (try? episode.attribute(contract.instruction)) ?? "" : ""
        guard let other = contents[recorded.content(own.isEmpty ? declared.instruction : own)] else { return }
        misfits.note(episode.wrong(["it is held out, and \(other) is the same demonstration"], hint: Self.onceHint))
    }

    private static let onceHint = "each demonstration counts once: take the copy out"

    private mutating func take(_ episode: Episode) throws {
        let checked = try EpisodeCheck(episode, c, declared).run(fileProblems)
        let recorded = try recorded(episode, checked.length)
        try checkSteps(episode, checked.length, recorded)
        if let other = contents.updateValue(episode.name, forKey: recorded.content(checked.instruction ?? "")) {
            throw episode.wrong(["it is the same demonstration as \(other)"], hint: Self.onceHint)
        }
        let images = try zip(contract.cameras, recorded.images).map { try pixels($0, $1, episode, checked.length) }
        byteCount +=
            images.reduce(0) { $0 + $1.count } + 4 * checked.length * (c.stateCount + c.actionCount * c.chunk + c.words)
        fit.note(actions: recorded.actions, of: episode.name)
        let demonstration = try Demonstration(
            task: (try? episode.attribute("task")) ?? checked.instruction ?? "unnamed",
            instruction: checked.instruction ?? "",
            length: checked.length,
            states: normalised(recorded.states, episode, checked.length),
            images: images,
            actions: normalised(recorded.actions, episode)
        )
        found.note(checked.instruction, steps: checked.length)
        // Where something does not fit, nobody will train on the others.
        if misfits.isEmpty, byteCount <= DemonstrationLimits.bytes { set.append(demonstration) }
    }

    /// Refuses steps that were never written, and remarks on what only looks like it.
    private mutating func checkSteps(_ episode: Episode, _ length: Int, _ recorded: RecordedValues) throws {
        let steps = try StepCheck(
            episode,
            contract,
            length: length,
            actions: recorded.actions,
            states: recorded.states,
            images: recorded.images
        )
        try steps.check()
        for range in steps.zeroRuns { remarks.note(.zeroStart, "\(episode.name) (\(StepCheck.text(range)))") }
        if let count = steps.zeroTail { remarks.note(.zeroTail, "\(episode.name) (\(count) of \(length) steps)") }
        for part in steps.zeroParts { remarks.note(.zeroParts, "\(part.dataset) (\(StepCheck.text(part.steps)))") }
        for (camera, bytes) in zip(contract.cameras, recorded.images) where bytes.allSatisfy({ $0 == bytes.first }) {
            remarks.note(.oneColour, "\(camera.key) in \(episode.name)")
        }
    }

    /// `path`: of all demonstrations.
    func finish(_ path: String) throws -> DemonstrationSet {
        var misfits = misfits
        guard found.demonstrations > 0 || !misfits.isEmpty else { throw ContractError("\(path) has no demonstrations") }
        if let problem = fit.problem(path) { misfits.note(problem) }
        var set = misfits.isEmpty ? set : DemonstrationSet(c)
        set.summary = found.summary(fit, c, heldOut: heldOut, remarks)
        set.summary.problem = misfits.error
        return set
    }

    // MARK: Values

    private func recorded(_ episode: Episode, _ length: Int) throws -> RecordedValues {
        RecordedValues(
            actions: try values(episode, episode.actions, [length, c.actionCount]),
            states: try contract.state.map { try values(episode, episode.state($0.key), [length, $0.count]) },
            images: try contract.cameras.map {
                try episode.file.bytes(episode.images($0.key), shape: episode.file.shape(episode.images($0.key)))
            }
        )
    }

    private func values(_ episode: Episode, _ name: String, _ shape: [Int]) throws -> [Float] {
        let values = try episode.file.float32s(name, shape: shape)
        guard let first = values.firstIndex(where: { !$0.isFinite }) else { return values }
        let count = values.reduce(0) { $0 + ($1.isFinite ? 0 : 1) }
        throw episode.wrong([
            """
            \(name) has \(count) values that are not finite as float32, the first in step \(first / shape[1]), number \
            \(first % shape[1])
            """
        ])
    }

    private func normalised(_ actions: [Float], _ episode: Episode) throws -> [Float] {
        var actions = actions
        for index in actions.indices {
            let dimension = contract.action.dimensions[index % c.actionCount]
            actions[index] = (actions[index] - dimension.mean) / dimension.std
            guard actions[index].isFinite else {
                throw episode.wrong([
                    "action \(dimension.name) of step \(index / c.actionCount) is not finite once normalised with "
                        + "mean \(dimension.mean), std \(dimension.std)"
                ])
            }
        }
        return actions
    }

    /// length × stateCount, normalised and clamped.
    private mutating func normalised(_ values: [[Float]], _ episode: Episode, _ length: Int) -> [Float] {
        var states = [Float](repeating: 0, count: length * c.stateCount)
        var column = 0
        for (feature, values) in zip(contract.state, values) {
            fit.note(state: values, feature, column: column, of: episode.name)
            for step in 0..<length {
                let source = max(0, step + feature.offset)
                for index in 0..<feature.count {
                    let value = (values[source * feature.count + index] - feature.mean[index]) / feature.std[index]
                    states[step * c.stateCount + column + index] = max(
                        -StateFeature.clamp,
                        min(StateFeature.clamp, value)
                    )
                }
            }
            column += feature.count
        }
        return states
    }

    /// length × height × width × 3, as the contract has them.
    private mutating func pixels(_ camera: Camera, _ bytes: [UInt8], _ episode: Episode, _ length: Int) throws
        -> [UInt8]
    {
        let shape = try episode.file.shape(episode.images(camera.key))
        found.note(camera.key, shape, bytes)
        guard let factor = EpisodeCheck.shrink(shape, camera), factor > 1 else { return bytes }
        return ImageShrinking.average(bytes, count: length, to: camera, factor: factor)
    }
}
