/// Reads demonstrations as a contract wants them, and says by name what does not fit.
struct EpisodeReader {
    private let c: PolicyConfiguration
    private let declared: DemonstrationFiles.Declaration
    private var set: DemonstrationSet
    private var fit: ContractFit
    private var byteCount = 0

    init(_ configuration: PolicyConfiguration, _ declared: DemonstrationFiles.Declaration) {
        c = configuration
        self.declared = declared
        set = DemonstrationSet(configuration)
        fit = ContractFit(configuration.contract)
    }

    private var contract: Contract { c.contract }

    /// What the file, or the engineer, says of the robot must agree with the contract.
    func check(_ recording: Recording, in file: HDF5File) throws {
        let embodiment = recording.embodiment ?? declared.embodiment
        guard embodiment.isEmpty || embodiment == contract.embodiment else {
            throw LearningError(
                "\(file.path): embodiment is \(embodiment), the contract is for \(contract.embodiment)", hint: "this base model is for another robot")
        }
        if let hertz = recording.controlHertz, contract.controlHertz > 0, abs(hertz - contract.controlHertz) > 0.01 * contract.controlHertz {
            throw LearningError(
                "\(file.path): control_hz is \(hertz), the contract wants \(contract.controlHertz)", hint: "resample the demonstrations to that rate")
        }
    }

    mutating func read(_ episode: Episode) throws {
        let length = try checkedLength(of: episode)
        let actions = try normalisedActions(episode, length)
        let states = try normalisedStates(episode, length)
        let images: [[UInt8]] = try contract.cameras.map { try pixels($0, episode, length) }
        byteCount += images.reduce(0) { $0 + $1.count }
        byteCount += 4 * (states.count + actions.count * c.chunk + length * c.words)
        guard byteCount <= DemonstrationLimits.bytes else {
            throw LearningError("\(episode.file.path): more than \(DemonstrationLimits.bytes) bytes of demonstrations")
        }
        set.append(
            Demonstration(
                task: episode.attribute("task") ?? instruction(episode) ?? "unnamed", instruction: instruction(episode) ?? "", length: length,
                states: states, images: images, actions: actions))
    }

    func finish(_ path: String) throws -> DemonstrationSet {
        guard set.count > 0 else { throw LearningError("\(path) has no demonstrations") }
        try fit.check(path)
        return set
    }

    // MARK: Shapes

    /// All that does not fit this episode, in one error: a site's engineer mends it in one go.
    private func checkedLength(of episode: Episode) throws -> Int {
        guard episode.file.exists(episode.actions), let shape = try? episode.file.shape(episode.actions), shape.count == 2,
            (1...DemonstrationLimits.steps).contains(shape[0])
        else { throw wrong(episode, ["\(episode.actions) is missing, or not (steps, \(c.actionCount)) with at most \(DemonstrationLimits.steps) steps"]) }
        var problems: [String] = []
        if shape[1] != c.actionCount {
            let names = contract.action.dimensions.map(\.name).joined(separator: ", ")
            problems.append("\(episode.actions) has the shape \(shape), the contract's action has \(c.actionCount) numbers: \(names)")
        }
        for feature in contract.state { problems += problem(feature, episode, shape[0]) }
        for camera in contract.cameras { problems += problem(camera, episode, shape[0]) }
        problems += instructionProblem(episode)
        guard problems.isEmpty else { throw wrong(episode, problems) }
        return shape[0]
    }

    private func instructionProblem(_ episode: Episode) -> [String] {
        guard c.words > 0 else { return [] }
        guard let text = instruction(episode) else { return ["the attribute \(contract.instruction) is missing, and no instruction is given for the site"] }
        return Tokenizer.understands(text) ? [] : ["the instruction \"\(text.prefix(64))\" is not in the letters a to z, the only ones that the policy reads"]
    }

    private func problem(_ feature: StateFeature, _ episode: Episode, _ length: Int) -> [String] {
        shape(episode.state(feature.key), episode) { name, shape in
            shape == [length, feature.count] ? [] : ["\(name) has the shape \(shape), [\(length), \(feature.count)] is wanted (\(feature.unit))"]
        }
    }

    /// What `check` says of a dataset's shape, or why it has none.
    private func shape(_ name: String, _ episode: Episode, _ check: (String, [Int]) -> [String]) -> [String] {
        guard episode.file.exists(name) else { return ["\(name) is missing"] }
        do { return check(name, try episode.file.shape(name)) } catch { return ["\(error)".replacing("\(episode.file.path): ", with: "")] }
    }

    private func problem(_ camera: Camera, _ episode: Episode, _ length: Int) -> [String] {
        shape(episode.images(camera.key), episode) { name, shape in
            if shape.count == 2 { return ["\(name) holds compressed images, which are not read: write them as bytes"] }
            guard shape.count == 4, shape[0] == length, shape[3] == 3, shrink(shape, camera) != nil else {
                return ["\(name) has the shape \(shape), [\(length), \(camera.height), \(camera.width), 3] or a whole multiple is wanted"]
            }
            return []
        }
    }

    private static let largestShrink = 64

    /// By how much images are larger than the contract wants, in each direction.
    private func shrink(_ shape: [Int], _ camera: Camera) -> Int? {
        let factor = shape[1] / camera.height
        return (1...Self.largestShrink).contains(factor) && shape[1] == factor * camera.height && shape[2] == factor * camera.width ? factor : nil
    }

    private func wrong(_ episode: Episode, _ problems: [String]) -> LearningError {
        LearningError(
            "\(episode.file.path), \(episode.name): \(problems.joined(separator: "; "))",
            hint: "the contract of the base model says what its observations and actions are: kumiai policy show MODEL")
    }

    private func instruction(_ episode: Episode) -> String? {
        contract.instruction.isEmpty ? nil : episode.attribute(contract.instruction) ?? (declared.instruction.isEmpty ? nil : declared.instruction)
    }

    // MARK: Values

    private mutating func normalisedActions(_ episode: Episode, _ length: Int) throws -> [Float] {
        var values = try finite(episode, episode.actions, [length, c.actionCount])
        fit.note(actions: values)
        for index in values.indices {
            let dimension = contract.action.dimensions[index % c.actionCount]
            values[index] = (values[index] - dimension.mean) / dimension.std
        }
        return values
    }

    /// length × stateCount, normalised and clamped.
    private mutating func normalisedStates(_ episode: Episode, _ length: Int) throws -> [Float] {
        var states = [Float](repeating: 0, count: length * c.stateCount)
        var column = 0
        for (number, feature) in contract.state.enumerated() {
            let values = try finite(episode, episode.state(feature.key), [length, feature.count])
            for step in 0..<length {
                let source = max(0, step + feature.offset)
                for index in 0..<feature.count {
                    let value = (values[source * feature.count + index] - feature.mean[index]) / feature.std[index]
                    states[step * c.stateCount + column + index] = max(-StateFeature.clamp, min(StateFeature.clamp, value))
                    fit.note(state: number, value)
                }
            }
            column += feature.count
        }
        return states
    }

    private func finite(_ episode: Episode, _ name: String, _ shape: [Int]) throws -> [Float] {
        let values = try episode.file.float32s(name, shape: shape)
        guard values.allSatisfy(\.isFinite) else { throw wrong(episode, ["\(name) has values that are not finite"]) }
        return values
    }

    /// length × height × width × 3.
    private func pixels(_ camera: Camera, _ episode: Episode, _ length: Int) throws -> [UInt8] {
        let name = episode.images(camera.key)
        let shape = try episode.file.shape(name)
        let bytes = try episode.file.bytes(name, shape: shape)
        guard let factor = shrink(shape, camera), factor > 1 else { return bytes }
        return ImageShrinking.average(bytes, count: length, to: camera, factor: factor)
    }
}
