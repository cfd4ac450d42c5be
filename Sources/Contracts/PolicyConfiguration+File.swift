import Tensors

extension PolicyConfiguration {
    /// Reads the configuration from a model's file and checks that the file's tensors match it. The values of the
    /// tensors are not checked.
    ///
    /// - Parameter file: The model's file, with the configuration as `config` in its metadata.
    /// - Throws: ``ContractError`` if the file has no valid configuration, or other tensors.
    public init(of file: SafetensorsFile) throws {
        let name = file.name.isEmpty ? "the model" : file.name
        guard let json = file.header[metadata: "config"] else {
            throw ContractError(
                "\(name) has no config in its metadata",
                hint: "the built-in trainer reads the policy's shape there; kumiai policy init creates such a model"
            )
        }
        do { try self.init(json: json) } catch let error as ContractError {
            throw file.name.isEmpty ? error : ContractError("\(name): \(error.message)", hint: error.hint)
        }
        guard let difference = Self.difference(between: file.layout, and: layout) else { return }
        throw ContractError(
            "the tensors of \(name) do not match its config: \(difference)",
            hint: "the config in its metadata belongs to another model, or tensors were added, removed or renamed"
        )
    }

    /// Describes the first tensor that differs; `nil` if all are equal.
    private static func difference(between found: TensorLayout, and expected: TensorLayout) -> String? {
        guard found != expected else { return nil }
        let tensors = Dictionary(uniqueKeysWithValues: found.tensors.map { ($0.name, $0) })
        for tensor in expected.tensors {
            guard let other = tensors[tensor.name] else { return "\(tensor.name) is missing" }
            guard other.type == tensor.type else {
                return "\(tensor.name) is \(other.type.rawValue); expected \(tensor.type.rawValue)"
            }
            guard other.shape == tensor.shape else {
                return "\(tensor.name) has the shape \(other.shape); expected \(tensor.shape)"
            }
        }
        let known = Set(expected.tensors.map(\.name))
        if let unknown = found.tensors.first(where: { !known.contains($0.name) }) {
            return "the config has no tensor \(unknown.name)"
        }
        return "they are in another order"
    }
}
