import Tensors

extension PolicyConfiguration {
    /// Modules that look up rows of their weight instead of multiplying by it.
    private static let embeddings: Set<String> = ["word"]

    /// Throws where a module with factors is an embedding of the policy: PEFT keeps an embedding's factors under other
    /// names, and in another form, so those of a linear module would be passed over.
    public static func requireLinear(_ modules: some Sequence<String>, of base: SafetensorsFile) throws {
        guard (try? PolicyConfiguration(of: base)) != nil, let embedding = modules.first(where: embeddings.contains)
        else { return }
        throw ContractError(
            "\(embedding) is an embedding, and factors of a linear module say nothing of it",
            hint: "leave it out of the targets"
        )
    }
}
