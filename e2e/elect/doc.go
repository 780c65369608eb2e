// Package elect holds the bot's elections to a count by others: @node-core/caritat, by which Node.js elects.
package elect
