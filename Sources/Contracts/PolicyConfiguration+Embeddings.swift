import Tensors

extension PolicyConfiguration {
    /// Modules that look up rows of their weight instead of multiplying by it.
    private static let embeddings: Set<String> = ["word"]

    /// Checks that no module is an embedding of the policy. PEFT stores an embedding's factors under other names and in
    /// another form, so it would ignore factors of a linear module.
    ///
    /// - Parameters:
    ///   - modules: The names of the modules that have factors.
    ///   - base: The base model. If it is not a built-in policy, nothing is checked.
    /// - Throws: ``ContractError`` if a module is an embedding.
    public static func requireLinear(_ modules: some Sequence<String>, of base: SafetensorsFile) throws {
        guard (try? PolicyConfiguration(of: base)) != nil, let embedding = modules.first(where: embeddings.contains)
        else { return }
        throw ContractError(
            "\(embedding) is an embedding, and factors of a linear module do not apply to it",
            hint: "remove it from the targets"
        )
    }
}
