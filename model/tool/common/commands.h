/* commands.h - the verbs of diffuse(1). Each gets its own argv, argv[0] being "diffuse VERB", and
 * returns the program's exit status: 0 done, 1 failed with a line on stderr; usage errors exit
 * with 2. */
#ifndef MODEL_TOOL_COMMON_COMMANDS_H
#define MODEL_TOOL_COMMON_COMMANDS_H

int cmd_train(int argc, char **argv);
int cmd_pretrain(int argc, char **argv);
int cmd_sweep(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_classify(int argc, char **argv);
int cmd_logits(int argc, char **argv);
int cmd_quantize(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_corpus(int argc, char **argv);
int cmd_listops(int argc, char **argv);

#endif
