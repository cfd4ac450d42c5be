import Tensors

/// The `contract` object in a model's `config`.
extension Contract {
    /// Limits for contracts in models' files, which may come from anywhere.
    static let maximumFeatures = 256
    static let maximumNumbers = 4096
    static let maximumCameras = 16
    static let maximumSide = 4096
    static let maximumActions = 256
    static let offsets = -64...0

    init(json: JSONValue?) throws {
        guard let json, json.object != nil else { throw ConfigurationReader.wrong("contract", "is missing") }
        let reader = try ConfigurationReader(
            json,
            in: "contract",
            names: ["embodiment", "control_hz", "instruction", "action", "state", "cameras"]
        )
        let hertz = json["control_hz"] == nil ? 0 : json["control_hz"]?.double ?? -1
        guard (0...10_000).contains(hertz) else {
            throw ConfigurationReader.wrong("contract.control_hz", "is not a number from 0 to 10000")
        }
        self.init(
            embodiment: try reader.text("embodiment"),
            controlHertz: hertz,
            instruction: try reader.text("instruction"),
            action: try ActionSpace(json: json["action"]),
            state: try reader.list("state", atMost: Self.maximumFeatures).map(StateFeature.init(json:)),
            cameras: try reader.list("cameras", atMost: Self.maximumCameras).map(Camera.init(json:))
        )
        guard stateCount <= Self.maximumNumbers else {
            throw ConfigurationReader.wrong(
                "contract.state",
                "has \(stateCount) numbers; expected at most \(Self.maximumNumbers)"
            )
        }
    }

    var json: String {
        """
        {"embodiment": \(embodiment.jsonQuoted), "control_hz": \(controlHertz), "instruction": \
        \(instruction.jsonQuoted), "action": {"space": \(action.space.jsonQuoted), "dimensions": \
        [\(action.dimensions.map(\.json).joined(separator: ", "))]}, "state": \
        [\(state.map(\.json).joined(separator: ", "))], "cameras": [\(cameras.map(\.json).joined(separator: ", "))]}
        """
    }
}

extension ActionSpace {
    fileprivate init(json: JSONValue?) throws {
        guard let json else { throw ConfigurationReader.wrong("contract.action", "is missing") }
        let reader = try ConfigurationReader(json, in: "contract.action", names: ["space", "dimensions"])
        let dimensions = try reader.list("dimensions", atMost: Contract.maximumActions).map(Dimension.init(json:))
        guard !dimensions.isEmpty else { throw ConfigurationReader.wrong("contract.action.dimensions", "is empty") }
        guard Set(dimensions.map(\.name)).count == dimensions.count else {
            throw ConfigurationReader.wrong("contract.action.dimensions", "contain a name twice")
        }
        self.init(space: try reader.text("space"), dimensions: dimensions)
    }
}

extension ActionSpace.Dimension {
    fileprivate init(json: JSONValue) throws {
        let reader = try ConfigurationReader(
            json,
            in: "contract.action.dimensions",
            names: ["name", "unit", "mean", "std", "minimum", "maximum"]
        )
        self.init(
            name: try reader.text("name"),
            unit: try reader.text("unit"),
            mean: try reader.number("mean"),
            std: try reader.deviation("std"),
            minimum: try reader.number("minimum"),
            maximum: try reader.number("maximum")
        )
        guard minimum < maximum else {
            throw ConfigurationReader.wrong("contract.action.dimensions", "\(name): minimum is not less than maximum")
        }
    }

    fileprivate var json: String {
        """
        {"name": \(name.jsonQuoted), "unit": \(unit.jsonQuoted), "mean": \(mean), "std": \(std), "minimum": \
        \(minimum), "maximum": \(maximum)}
        """
    }
}

extension StateFeature {
    fileprivate init(json: JSONValue) throws {
        let reader = try ConfigurationReader(
            json,
            in: "contract.state",
            names: ["key", "offset", "unit", "mean", "std"]
        )
        self.init(
            key: try reader.key("key"),
            offset: try reader.integer("offset", in: Contract.offsets),
            unit: try reader.text("unit"),
            mean: try reader.numbers("mean"),
            std: try reader.numbers("std")
        )
        guard !mean.isEmpty, mean.count == std.count, std.allSatisfy({ $0 > 0 }) else {
            throw ConfigurationReader.wrong(
                "contract.state",
                "\(key): mean and std differ in length or are empty, or a std is not positive"
            )
        }
    }

    fileprivate var json: String {
        """
        {"key": \(key.jsonQuoted), "offset": \(offset), "unit": \(unit.jsonQuoted), "mean": \(mean), "std": \(std)}
        """
    }
}

extension Camera {
    fileprivate init(json: JSONValue) throws {
        let reader = try ConfigurationReader(json, in: "contract.cameras", names: ["key", "height", "width"])
        let sides = 1...Contract.maximumSide
        self.init(
            key: try reader.key("key"),
            height: try reader.integer("height", in: sides),
            width: try reader.integer("width", in: sides)
        )
    }

    fileprivate var json: String { "{\"key\": \(key.jsonQuoted), \"height\": \(height), \"width\": \(width)}" }
}
