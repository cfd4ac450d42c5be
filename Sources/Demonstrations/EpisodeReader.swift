import Contracts

/// Reads demonstrations, checks them against the contract, and describes what does not fit.
struct EpisodeReader {
    let c: PolicyConfiguration
    private let declared: DemonstrationFiles.Declaration
    private var set: DemonstrationSet
    private var fit: ContractFit
    private var found = SummaryBuilder()
    private var byteCount = 0
    /// Problems of the current file; reported together with the problems of its first demonstration.
    private var fileProblems: [String] = []
    private var misfits: Misfits
    private var remarks = Remarks()
    /// The names of the demonstrations that were read, by the fingerprint of their content.
    private var contents: [UInt64: String] = [:]
    /// The number of demonstrations that are held out for validation.
    var heldOut = 0

    init(_ path: String, _ configuration: PolicyConfiguration, _ declared: DemonstrationFiles.Declaration) {
        c = configuration
        misfits = Misfits(path)
        self.declared = declared
        set = DemonstrationSet(configuration)
        fit = ContractFit(configuration.contract)
    }

    var contract: Contract { c.contract }

    /// Checks the robot and the rate that the file or the site's engineer names against the contract. If the contract
    /// has a rate and it cannot be checked, this is a problem.
    mutating func check(_ recording: Recording, in file: HDF5File) {
        fileProblems = []
        let named = recording.embodiment.flatMap { $0.isEmpty ? nil : $0 }
        if let named, !declared.embodiment.isEmpty, named != declared.embodiment {
            fileProblems.append("embodiment is \(named), but \(declared.embodiment) was declared")
        }
        let embodiment = named ?? declared.embodiment
        if embodiment.isEmpty {
            found.robotIsUnnamed = true
        } else {
            found.embodiment = embodiment
            if embodiment != contract.embodiment {
                fileProblems.append("embodiment is \(embodiment), but the contract is for \(contract.embodiment)")
            }
        }
        switch recording.rate {
        case .known(let hertz):
            check(hertz, "control_freq in env_args")
            if declared.controlHertz > 0, !isRate(declared.controlHertz, hertz) {
                fileProblems.append(
                    "control_freq in env_args is \(hertz), but control_hz was declared as \(declared.controlHertz)"
                )
            }
        case .missing(let reason):
            if declared.controlHertz > 0 {
                check(declared.controlHertz, "the declared control_hz")
            } else if contract.controlHertz > 0 {
                fileProblems.append(
                    """
                    \(unchecked): \(reason); if you know the rate, declare control_hz (in worker.toml, or with \
                    --control-hz)
                    """
                )
            }
        case .unreadable(let reason):
            if contract.controlHertz > 0 { fileProblems.append("\(unchecked): \(reason)") }
        }
    }

    mutating func remark(_ kind: Remarks.Kind, _ example: String) { remarks.add(kind, example) }

    private var unchecked: String {
        "cannot check that the data have \(contract.controlHertz) steps per second, as the contract requires"
    }

    private mutating func check(_ hertz: Double, _ what: String) {
        found.controlHertz = hertz
        guard contract.controlHertz > 0, !isRate(hertz, contract.controlHertz) else { return }
        fileProblems.append(
            "\(what) is \(hertz); expected \(contract.controlHertz), as in the contract: resample the demonstrations"
        )
    }

    private func isRate(_ one: Double, _ other: Double) -> Bool { abs(one - other) <= 0.01 * other }

    /// Reads a demonstration. Problems are reported at the end, so that the site's engineer sees all of them at once.
    mutating func read(_ episode: Episode) throws {
        do { try take(episode) } catch let error as ContractError { misfits.add(error) }
        fileProblems = []
        guard byteCount <= DemonstrationLimits.bytes else {
            throw ContractError("\(episode.file.path): more than \(DemonstrationLimits.bytes) bytes of demonstrations")
        }
    }

    /// Checks that a held-out demonstration is not the same as one that was read.
    mutating func compare(heldOut episode: Episode) {
        // A demonstration that cannot be read is not the same as one that was read.
        guard let length = try? episode.file.shape(episode.actions).first, let recorded = try? recorded(episode, length)
        else { return }
        let own = c.words > 0 ? (try? episode.attribute(contract.instruction)) ?? "" : ""
        guard let other = contents[recorded.content(own.isEmpty ? declared.instruction : own)] else { return }
        misfits.add(episode.wrong(["it is held out, but \(other) is the same demonstration"], hint: Self.onceHint))
    }

    private static let onceHint = "each demonstration may occur only once: remove the copy"

    private mutating func take(_ episode: Episode) throws {
        let checked = try EpisodeCheck(episode, c, declared).run(fileProblems)
        let recorded = try recorded(episode, checked.length)
        try checkSteps(episode, checked.length, recorded)
        if let other = contents.updateValue(episode.name, forKey: recorded.content(checked.instruction ?? "")) {
            throw episode.wrong(["it is the same demonstration as \(other)"], hint: Self.onceHint)
        }
        let images = try zip(contract.cameras, recorded.images).map { try pixels($0, $1, episode, checked.length) }
        byteCount +=
            images.reduce(0) { $0 + $1.count } + MemoryLayout<Float>.size * checked.length
            * (c.stateCount + c.actionCount * c.chunk + c.words)
        fit.add(actions: recorded.actions, of: episode.name)
        let demonstration = try Demonstration(
            task: (try? episode.attribute("task")) ?? checked.instruction ?? "unnamed",
            instruction: checked.instruction ?? "",
            length: checked.length,
            states: normalised(recorded.states, episode, checked.length),
            images: images,
            actions: normalised(recorded.actions, episode)
        )
        found.addDemonstration(checked.instruction, steps: checked.length)
        // If any demonstration does not fit, the set is not used, so the others need not be kept.
        if misfits.isEmpty, byteCount <= DemonstrationLimits.bytes { set.append(demonstration) }
    }

    /// Refuses steps that were never written, and remarks on values that only look as if they were not written.
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
        for range in steps.zeroRuns { remarks.add(.zeroStart, "\(episode.name) (\(StepCheck.text(range)))") }
        if let count = steps.zeroTail { remarks.add(.zeroTail, "\(episode.name) (\(count) of \(length) steps)") }
        for part in steps.zeroParts { remarks.add(.zeroParts, "\(part.dataset) (\(StepCheck.text(part.steps)))") }
        for (camera, bytes) in zip(contract.cameras, recorded.images) where bytes.allSatisfy({ $0 == bytes.first }) {
            remarks.add(.oneColour, "\(camera.key) in \(episode.name)")
        }
    }

    /// Completes the set and its summary.
    ///
    /// - Parameter path: The path of all demonstrations.
    /// - Throws: `ContractError` if there are no demonstrations.
    func finish(_ path: String) throws -> DemonstrationSet {
        var misfits = misfits
        guard found.demonstrations > 0 || !misfits.isEmpty else { throw ContractError("\(path) has no demonstrations") }
        if let problem = fit.problem(path) { misfits.add(problem) }
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
                    "action \(dimension.name) of step \(index / c.actionCount) is not finite after normalisation with "
                        + "mean \(dimension.mean), std \(dimension.std)"
                ])
            }
        }
        return actions
    }

    /// Returns length × stateCount values, normalised and clamped.
    private mutating func normalised(_ values: [[Float]], _ episode: Episode, _ length: Int) -> [Float] {
        var states = [Float](repeating: 0, count: length * c.stateCount)
        var column = 0
        for (feature, values) in zip(contract.state, values) {
            fit.add(state: values, feature, column: column, of: episode.name)
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

    /// Returns length × height × width × 3 bytes, in the contract's image size.
    private mutating func pixels(_ camera: Camera, _ bytes: [UInt8], _ episode: Episode, _ length: Int) throws
        -> [UInt8]
    {
        let shape = try episode.file.shape(episode.images(camera.key))
        found.addImages(camera.key, shape, bytes)
        guard let factor = EpisodeCheck.shrink(shape, camera), factor > 1 else { return bytes }
        return ImageShrinking.average(bytes, count: length, to: camera, factor: factor)
    }
}
