import ArgumentParser

struct ModelGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Register or fetch a base model.",
        subcommands: [ModelImportCommand.self, ModelFetchCommand.self]
    )
}
