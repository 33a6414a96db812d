"""What a person sees while seeds train and once they are done."""
