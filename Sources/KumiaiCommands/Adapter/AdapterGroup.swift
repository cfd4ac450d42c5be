import ArgumentParser

struct AdapterGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapter",
        abstract: "Fold a LoRA adapter into a model, or make one from two models. Adapters are PEFT's.",
        subcommands: [AdapterMergeCommand.self, AdapterExtractCommand.self]
    )
}
